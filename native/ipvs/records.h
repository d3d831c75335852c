// Records carry data between JavaScript and C++. There is one for each kind of IPVS object.
//
// clang-format off
//   present | key … | what a request sets … | what only the kernel sets …
//            <- keySize                    <- requestSize             <- size
// clang-format on
//
// Each bit of `present` says whether an attribute is there. Numbers, including ports, are in native byte
// order. Strings are padded with NULs. Addresses take 16 bytes; IPv4 uses the first four. Sizes are multiples
// of 8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ipvs {

struct Counters {
  std::uint64_t connections, inPackets, outPackets, inBytes, outBytes;
  std::uint64_t rateConnections, rateInPackets, rateOutPackets, rateInBytes, rateOutBytes;
};

struct ServiceRecord {
  std::uint32_t present;
  std::uint16_t family;  // AF_INET or AF_INET6
  std::uint16_t protocol;
  std::uint16_t port;
  std::uint16_t reserved;
  std::uint32_t fwmark;
  std::byte address[16];

  std::uint32_t flags;
  std::uint32_t flagsMask;
  std::uint32_t timeout;
  std::uint32_t netmask;  // IPv4: the mask in host order; IPv6: the prefix length
  char scheduler[16];
  char persistenceEngine[24];

  Counters counters;

  static constexpr std::size_t keySize = 32;
  static constexpr std::size_t requestSize = 88;
};

struct DestinationRecord {
  std::uint32_t present;
  std::uint16_t family;
  std::uint16_t port;
  std::byte address[16];

  std::uint32_t forward;
  std::int32_t weight;
  std::uint32_t upperThreshold;
  std::uint32_t lowerThreshold;
  std::uint16_t tunnelPort;
  std::uint16_t tunnelFlags;
  std::uint8_t tunnelType;
  std::uint8_t reserved[3];

  std::uint32_t activeConnections;
  std::uint32_t inactiveConnections;
  std::uint32_t persistentConnections;
  std::uint32_t reserved2;
  Counters counters;

  static constexpr std::size_t keySize = 24;
  static constexpr std::size_t requestSize = 48;
};

struct DaemonRecord {
  std::uint32_t present;
  std::uint32_t state;  // IP_VS_STATE_MASTER or IP_VS_STATE_BACKUP
  std::uint32_t syncId;
  std::uint32_t reserved;

  std::uint16_t maxLength;
  std::uint16_t port;
  std::uint16_t groupFamily;
  std::uint8_t ttl;
  std::uint8_t reserved2;
  std::byte group[16];
  char interface[16];

  static constexpr std::size_t keySize = 16;
  static constexpr std::size_t requestSize = 56;
};

struct ConfigRecord {
  std::uint32_t present;
  std::uint32_t tcp;
  std::uint32_t tcpFin;
  std::uint32_t udp;

  static constexpr std::size_t keySize = 0;
  static constexpr std::size_t requestSize = 16;
};

struct InfoRecord {
  std::uint32_t present;
  std::uint32_t version;
  std::uint32_t connectionTableSize;
  std::uint32_t reserved;

  static constexpr std::size_t keySize = 0;
  static constexpr std::size_t requestSize = 0;
};

static_assert(offsetof(ServiceRecord, flags) == ServiceRecord::keySize);
static_assert(offsetof(ServiceRecord, counters) == ServiceRecord::requestSize);
static_assert(offsetof(DestinationRecord, forward) == DestinationRecord::keySize);
static_assert(offsetof(DestinationRecord, activeConnections) == DestinationRecord::requestSize);
static_assert(offsetof(DaemonRecord, maxLength) == DaemonRecord::keySize);
static_assert(sizeof(DaemonRecord) == DaemonRecord::requestSize);
static_assert(sizeof(ServiceRecord) % 8 == 0 && ServiceRecord::requestSize % 8 == 0 &&
              ServiceRecord::keySize % 8 == 0);
static_assert(sizeof(DestinationRecord) % 8 == 0 && DestinationRecord::requestSize % 8 == 0);
static_assert(sizeof(DaemonRecord) % 8 == 0 && sizeof(ConfigRecord) % 8 == 0 && sizeof(InfoRecord) % 8 == 0);

}  // namespace ipvs
