// Packed requests as JavaScript would write them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"
#include "ipvs/fields.h"
#include "ipvs/reply.h"
#include "ipvs/request.h"

namespace pack {

/// The bits of `present` for fields given by name.
template <const auto& nest>
std::uint32_t bits(std::initializer_list<std::string_view> names) {
  std::uint32_t result = 0;
  for (std::string_view name : names) {
    bool found = false;
    for (const ipvs::Field& field : std::remove_cvref_t<decltype(nest)>::fields) {
      if (field.name != name || field.bit < 0) continue;
      result |= 1u << field.bit;
      found = true;
    }
    if (!found) check::failed(__FILE__, __LINE__, "no such field: " + std::string(name));
  }
  return result;
}

inline ipvs::ServiceRecord serviceKey() {
  ipvs::ServiceRecord record{};
  record.present = bits<ipvs::serviceNest>({"family", "protocol", "port", "address"});
  record.family = AF_INET;
  record.protocol = IPPROTO_TCP;
  record.port = 80;
  std::memcpy(record.address, "\x0a\x0a\x0a\x64", 4);
  return record;
}

inline ipvs::ServiceRecord service() {
  ipvs::ServiceRecord record = serviceKey();
  record.present |= bits<ipvs::serviceNest>({"flags", "timeout", "netmask", "scheduler"});
  record.flagsMask = ~0u;
  record.timeout = 300;
  record.netmask = 0xffffff00;
  std::strcpy(record.scheduler, "wlc");
  return record;
}

inline ipvs::DestinationRecord destination() {
  ipvs::DestinationRecord record{};
  record.present = bits<ipvs::destinationNest>(
      {"family", "port", "address", "forward", "weight", "upperThreshold", "lowerThreshold"});
  record.family = AF_INET;
  record.port = 8080;
  std::memcpy(record.address, "\x0a\x0a\x0a\x02", 4);
  record.forward = IP_VS_CONN_F_TUNNEL;
  record.weight = 7;
  record.upperThreshold = 20;
  record.lowerThreshold = 10;
  return record;
}

/// Builds a batch.
class Batch {
 public:
  template <class... Records>
  Batch& add(unsigned command, std::uint16_t flags, std::pair<Records*, std::size_t>... records) {
    std::size_t size = sizeof(ipvs::RequestHeader) + (std::size_t{0} + ... + records.second);
    ipvs::RequestHeader header{static_cast<std::uint16_t>(size), static_cast<std::uint16_t>(command), flags,
                               0};
    append(&header, sizeof header);
    (append(records.first, records.second), ...);
    ++count;
    return *this;
  }
  Batch& plain(unsigned command, std::uint16_t flags = 0) { return add(command, flags); }
  Batch& newService(const ipvs::ServiceRecord& service) {
    return add(IPVS_CMD_NEW_SERVICE, 0, std::pair{&service, ipvs::ServiceRecord::requestSize});
  }
  Batch& ofService(unsigned command, const ipvs::ServiceRecord& service, std::uint16_t flags = 0) {
    return add(command, flags, std::pair{&service, ipvs::ServiceRecord::keySize});
  }
  Batch& ofDestination(unsigned command, const ipvs::ServiceRecord& service,
                       const ipvs::DestinationRecord& destination) {
    return add(command, 0, std::pair{&service, ipvs::ServiceRecord::keySize},
               std::pair{&destination, ipvs::DestinationRecord::requestSize});
  }
  void append(const void* data, std::size_t length) {
    auto from = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), from, from + length);
  }

  std::vector<std::byte> bytes;
  std::uint32_t count = 0;
};

/// A reply as JavaScript would read it: "done", "-17", "unknown(105)", "not-sent(105)", with texts and the
/// number of records.
inline std::string outcomes(netlink::ByteView reply) {
  if (reply.empty()) return "all done";
  std::string result;
  auto header = netlink::load<ipvs::ReplyHeader>(reply.data());
  CHECK_EQUAL(header.total, reply.size());
  for (std::uint32_t i = 0; i < header.requestCount; ++i) {
    auto entry = netlink::load<ipvs::ReplyEntry>(reply.data() + sizeof header + i * sizeof(ipvs::ReplyEntry));
    result += i ? " " : "";
    result += entry.outcome == ipvs::Outcome::done      ? "done"
              : entry.outcome == ipvs::Outcome::unknown ? "unknown"
              : entry.outcome == ipvs::Outcome::notSent ? "not-sent"
                                                        : std::to_string(entry.outcome);
    bool lost = entry.outcome == ipvs::Outcome::unknown || entry.outcome == ipvs::Outcome::notSent;
    if (lost && entry.recordsOffset) result += "(" + std::to_string(entry.recordsOffset) + ")";
    if (entry.recordCount) result += "+" + std::to_string(entry.recordCount);
    if (entry.text)
      result += " '" + std::string(reinterpret_cast<const char*>(reply.data() + entry.text)) + "'";
  }
  return result;
}

}  // namespace pack
