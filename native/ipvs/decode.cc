#include "ipvs/decode.h"

#include <sys/socket.h>

#include <algorithm>

#include "netlink/attribute.h"

namespace ipvs {

namespace {

using netlink::Attribute;
using netlink::ByteView;
using netlink::load;
using netlink::store;

constexpr std::uint16_t largestAttribute(const auto& fields) {
  std::uint16_t largest = 0;
  for (const Field& field : fields) largest = std::max({largest, field.attribute, field.alternative});
  return largest;
}

// By attribute: the index of its field plus one, 0 for an attribute nobody knows.
template <const auto& fields>
constexpr auto fieldsByAttribute = [] {
  std::array<std::uint8_t, largestAttribute(fields) + 1> indices{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].wire == Wire::none) continue;
    indices[fields[i].attribute] = static_cast<std::uint8_t>(i + 1);
    if (fields[i].alternative) indices[fields[i].alternative] = static_cast<std::uint8_t>(i + 1);
  }
  return indices;
}();

template <const auto& fields>
const Field* fieldOf(std::uint16_t attribute) {
  const auto& indices = fieldsByAttribute<fields>;
  if (attribute >= indices.size() || indices[attribute] == 0) return nullptr;
  return &fields[indices[attribute] - 1];
}

// Reads one attribute into its field. False if it is too short to be one.
bool readField(const Field& field, ByteView payload, std::byte* record) {
  std::byte* to = record + field.offset;
  switch (field.wire) {
    case Wire::u8:
      if (payload.size() < 1) return false;
      *to = payload[0];
      return true;
    case Wire::u16:
      if (payload.size() < 2) return false;
      std::memcpy(to, payload.data(), 2);
      return true;
    case Wire::bigEndian16:
      if (payload.size() < 2) return false;
      store(to, static_cast<std::uint16_t>(static_cast<unsigned>(payload[0]) << 8 | static_cast<unsigned>(payload[1])));
      return true;
    case Wire::u32:
    case Wire::netmask:
      if (payload.size() < 4) return false;
      std::memcpy(to, payload.data(), 4);
      return true;
    case Wire::flags:
      if (payload.size() < 8) return false;
      std::memcpy(to, payload.data(), 8);
      return true;
    case Wire::address:
    case Wire::group: {
      if (payload.size() < 4) return false;
      bool six = payload.size() >= 16;
      std::memcpy(to, payload.data(), six ? 16 : 4);
      if (field.wire == Wire::group) {
        store<std::uint16_t>(record + offsetof(DaemonRecord, groupFamily), six ? AF_INET6 : AF_INET);
      }
      return true;
    }
    case Wire::text: {
      std::string_view text = netlink::textOf(payload);
      std::memcpy(to, text.data(), std::min<std::size_t>(text.size(), field.length - 1));
      return true;
    }
    case Wire::counter:
    case Wire::none:
      break;
  }
  return false;
}

// Reads a statistics nest, whichever width its numbers have. Returns the bits of what was there.
std::uint32_t readCounters(ByteView nest, std::byte* counters) {
  std::uint32_t bits = 0;
  netlink::forEachAttribute(nest, [&](Attribute attribute) {
    const Field* field = fieldOf<counterFields>(attribute.type);
    if (!field || attribute.payload.size() < 4) return;
    const std::byte* from = attribute.payload.data();
    std::uint64_t value = attribute.payload.size() >= 8 ? load<std::uint64_t>(from) : load<std::uint32_t>(from);
    store(counters + field->offset, value);
    bits |= 1u << field->bit;
  });
  return bits;
}

template <const auto& nest>
void decode(ByteView attributes, void* to) {
  using Nest = std::remove_cvref_t<decltype(nest)>;
  auto record = static_cast<std::byte*>(to);
  std::memset(record, 0, sizeof(typename Nest::RecordType));
  std::uint32_t present = 0;
  ByteView statistics, statistics64;
  netlink::forEachAttribute(attributes, [&](Attribute attribute) {
    if (const Field* field = fieldOf<Nest::fields>(attribute.type)) {
      if (readField(*field, attribute.payload, record)) present |= 1u << field->bit;
      return;
    }
    if constexpr (nest.statistics64 != 0) {
      if (attribute.type == nest.statistics64) statistics64 = attribute.payload;
      if (attribute.type == nest.statistics) statistics = attribute.payload;
    }
  });
  if constexpr (nest.statistics64 != 0) {
    // Kernels send both from 4.1 on; the 32-bit ones wrap.
    ByteView counters = statistics64.empty() ? statistics : statistics64;
    present |= readCounters(counters, record + nest.countersOffset) << nest.countersBit;
  }
  store(record, present);
}

}  // namespace

void decodeService(ByteView attributes, ServiceRecord& record) {
  decode<serviceNest>(attributes, &record);
  // Known only now: the family may come after the netmask.
  if (record.family == AF_INET && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
    record.netmask = __builtin_bswap32(record.netmask);
  }
}

void decodeDestination(ByteView attributes, DestinationRecord& record) { decode<destinationNest>(attributes, &record); }
void decodeDaemon(ByteView attributes, DaemonRecord& record) { decode<daemonNest>(attributes, &record); }
void decodeConfig(ByteView attributes, ConfigRecord& record) { decode<configNest>(attributes, &record); }
void decodeInfo(ByteView attributes, InfoRecord& record) { decode<infoNest>(attributes, &record); }

}  // namespace ipvs
