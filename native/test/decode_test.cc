// Decodes bytes from the wire. The byte vectors are little-endian and were captured from a 6.12 kernel.
#include "ipvs/decode.h"

#include <sys/socket.h>

#include "check.h"
#include "netlink/attribute.h"
#include "netlink/family.h"
#include "pack.h"

using namespace ipvs;

namespace {

const char* const serviceBytes =
    "06 00 01 00 02 00 00 00"
    "06 00 02 00 06 00 00 00"
    "14 00 03 00 0a 0a 0a 64 00 00 00 00 00 00 00 00 00 00 00 00"
    "06 00 04 00 00 50 00 00"
    "08 00 06 00 77 6c 63 00"
    "0c 00 07 00 03 00 00 00 ff ff ff ff"
    "08 00 08 00 2c 01 00 00"
    "08 00 09 00 ff ff ff 00"
    "14 00 0a 80 08 00 01 00 05 00 00 00 08 00 06 00 06 00 00 00"                          // STATS
    "1c 00 0c 80 0c 00 01 00 07 00 00 00 01 00 00 00 0c 00 06 00 08 00 00 00 00 00 00 00"  // STATS64
    "08 00 0b 00 73 69 70 00";

const char* const destinationBytes =
    "14 00 01 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 05"
    "06 00 02 00 1f 90 00 00"
    "08 00 03 00 02 00 00 00"
    "08 00 04 00 ff ff ff 7f"
    "05 00 0d 00 01 00 00 00"
    "06 00 0e 00 15 b3 00 00"
    "06 00 0f 00 02 00 00 00"
    "08 00 05 00 14 00 00 00"
    "08 00 06 00 0a 00 00 00"
    "08 00 07 00 01 00 00 00"
    "08 00 08 00 02 00 00 00"
    "08 00 09 00 03 00 00 00"
    "06 00 0b 00 0a 00 00 00"
    "10 00 0c 80 0c 00 05 00 ff ff ff ff ff ff ff ff";

const char* const daemonBytes =
    "08 00 01 00 02 00 00 00"
    "09 00 02 00 65 74 68 30 00 00 00 00"
    "08 00 03 00 ff 00 00 00"
    "06 00 04 00 78 05 00 00"
    "06 00 07 00 90 22 00 00"
    "05 00 08 00 01 00 00 00"
    "14 00 06 00 ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 81";

template <class Record>
Record read(void (*decode)(netlink::ByteView, Record&), netlink::ByteView bytes) {
  check::Exact exact(bytes);
  Record record;
  std::memset(static_cast<void*>(&record), 0xee, sizeof record);
  decode(exact.view(), record);
  return record;
}

template <class Record>
Record read(void (*decode)(netlink::ByteView, Record&), const std::string& text) {
  return read(decode, netlink::ByteView(check::bytes(text)));
}

template <class Record>
bool same(const Record& a, const Record& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// Decoding any prefix stays within it, and finds no more than the whole has.
template <class Record>
void readEveryPrefix(void (*decode)(netlink::ByteView, Record&), const char* text) {
  std::vector<std::byte> whole = check::bytes(text);
  std::uint32_t all = read(decode, netlink::ByteView(whole)).present;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    Record record = read(decode, netlink::ByteView(whole).first(length));
    CHECK_EQUAL(record.present & ~all, 0u);
  }
}

// Sets each attribute's length in turn to every small value: shorter, longer and zero.
template <class Record>
void readEveryLength(void (*decode)(netlink::ByteView, Record&), const char* text) {
  std::vector<std::byte> whole = check::bytes(text);
  for (std::size_t at = 0; at + 4 <= whole.size(); at += 4) {
    for (unsigned length = 0; length < 40; ++length) {
      std::vector<std::byte> changed = whole;
      netlink::store(changed.data() + at, static_cast<std::uint16_t>(length));
      read(decode, netlink::ByteView(changed));
    }
  }
}

}  // namespace

TEST("a service") {
  ServiceRecord record = read(decodeService, serviceBytes);
  CHECK_EQUAL(record.present,
              pack::bits<serviceNest>({"family", "protocol", "port", "address", "flags", "timeout", "netmask",
                                       "scheduler", "persistenceEngine"}) |
                  1u << serviceNest.countersBit | 1u << (serviceNest.countersBit + 5));
  CHECK_EQUAL(record.family, AF_INET);
  CHECK_EQUAL(record.protocol, 6);
  CHECK_EQUAL(record.port, 80);
  CHECK_EQUAL(check::text(record.address), check::text(check::bytes("0a 0a 0a 64 0 0 0 0 0 0 0 0 0 0 0 0")));
  CHECK_EQUAL(record.flags, 3u);
  CHECK_EQUAL(record.flagsMask, ~0u);
  CHECK_EQUAL(record.timeout, 300u);
  CHECK_EQUAL(record.netmask, 0xffffff00u);
  CHECK_EQUAL(std::string(record.scheduler), "wlc");
  CHECK_EQUAL(std::string(record.persistenceEngine), "sip");
  CHECK_EQUAL(record.counters.connections, 0x1'0000'0007u);
  CHECK_EQUAL(record.counters.rateConnections, 8u);
}

TEST("a destination") {
  DestinationRecord record = read(decodeDestination, destinationBytes);
  CHECK_EQUAL(record.family, AF_INET6);
  CHECK_EQUAL(record.port, 8080);
  CHECK_EQUAL(static_cast<int>(record.address[15]), 5);
  CHECK_EQUAL(record.forward, 2u);
  CHECK_EQUAL(record.weight, 0x7fffffff);
  CHECK_EQUAL(record.upperThreshold, 20u);
  CHECK_EQUAL(record.lowerThreshold, 10u);
  CHECK_EQUAL(record.tunnelType, 1);
  CHECK_EQUAL(record.tunnelPort, 5555);
  CHECK_EQUAL(record.tunnelFlags, 2);
  CHECK_EQUAL(record.activeConnections, 1u);
  CHECK_EQUAL(record.inactiveConnections, 2u);
  CHECK_EQUAL(record.persistentConnections, 3u);
  CHECK_EQUAL(record.counters.outBytes, ~std::uint64_t{0});
}

TEST("a sync daemon, its group IPv6 or IPv4") {
  DaemonRecord record = read(decodeDaemon, daemonBytes);
  CHECK_EQUAL(record.state, 2u);
  CHECK_EQUAL(std::string(record.interface), "eth0");
  CHECK_EQUAL(record.syncId, 255u);
  CHECK_EQUAL(record.maxLength, 1400);
  CHECK_EQUAL(record.port, 8848);
  CHECK_EQUAL(record.ttl, 1);
  CHECK_EQUAL(record.groupFamily, AF_INET6);
  CHECK_EQUAL(static_cast<int>(record.group[15]), 0x81);
  DaemonRecord four = read(decodeDaemon, "08 00 05 00 e0 00 00 51");
  CHECK_EQUAL(four.groupFamily, AF_INET);
  CHECK_EQUAL(four.present, pack::bits<daemonNest>({"group"}));
}

TEST("timeouts and information") {
  ConfigRecord config =
      read(decodeConfig, "08 00 04 00 84 03 00 00 08 00 05 00 78 00 00 00 08 00 06 00 2c 01 00 00");
  CHECK(same(config, ConfigRecord{7, 900, 120, 300}));
  InfoRecord info = read(decodeInfo, "08 00 01 00 01 02 01 00 08 00 02 00 00 10 00 00");
  CHECK(same(info, InfoRecord{3, 0x010201, 4096, 0}));
}

TEST("kernels without 64-bit statistics: the 32-bit ones are read, whatever their width") {
  ServiceRecord record = read(
      decodeService, "1c 00 0a 80 08 00 01 00 05 00 00 00 0c 00 04 00 00 00 00 00 01 00 00 00 04 00 0b 00");
  CHECK_EQUAL(record.counters.connections, 5u);
  CHECK_EQUAL(record.counters.inBytes, 0x1'0000'0000u);
}

TEST("the netmask is right whether it comes before its family or after") {
  CHECK_EQUAL(read(decodeService, "08 00 09 00 ff ff 00 00 06 00 01 00 02 00 00 00").netmask, 0xffff0000u);
  CHECK_EQUAL(read(decodeService, "08 00 09 00 40 00 00 00 06 00 01 00 0a 00 00 00").netmask, 64u);
}

TEST("attributes are read in whatever order they come") {
  std::vector<std::byte> bytes = check::bytes(destinationBytes);
  std::vector<std::vector<std::byte>> attributes;
  netlink::forEachAttribute(bytes, [&](netlink::Attribute attribute) {
    const std::byte* begin = attribute.payload.data() - NLA_HDRLEN;
    attributes.emplace_back(begin,
                            begin + NLA_HDRLEN + netlink::alignUp(attribute.payload.size(), NLA_ALIGNTO));
  });
  CHECK_EQUAL(attributes.size(), 14u);
  DestinationRecord expected = read(decodeDestination, netlink::ByteView(bytes));
  for (std::size_t turned = 0; turned < attributes.size(); ++turned) {
    std::vector<std::byte> other;
    for (std::size_t i = attributes.size(); i-- > 0;) {
      const auto& attribute = attributes[(i + turned) % attributes.size()];
      other.insert(other.end(), attribute.begin(), attribute.end());
    }
    CHECK(same(read(decodeDestination, netlink::ByteView(other)), expected));
  }
}

TEST("unknown attributes are passed over, everywhere") {
  std::string unknown = "0c 00 63 80 08 00 01 00 ff ff ff ff 04 00 00 00 06 00 ff 3f 01 02 00 00";
  ServiceRecord plain = read(decodeService, serviceBytes);
  CHECK(same(read(decodeService, unknown + serviceBytes + unknown), plain));
  CHECK(same(read(decodeDestination, unknown + destinationBytes), read(decodeDestination, destinationBytes)));
  CHECK(same(read(decodeDaemon, unknown + daemonBytes), read(decodeDaemon, daemonBytes)));
}

TEST("what is too short counts as absent") {
  CHECK_EQUAL(read(decodeService, "05 00 01 00 02 00 00 00").present, 0u);
  CHECK_EQUAL(read(decodeService, "06 00 08 00 02 00 00 00").present, 0u);
  CHECK_EQUAL(read(decodeService, "08 00 07 00 02 00 00 00").present, 0u);
  CHECK_EQUAL(read(decodeService, "06 00 03 00 0a 0a 00 00").present, 0u);
  CHECK_EQUAL(read(decodeDestination, "04 00 0d 00").present, 0u);
  CHECK_EQUAL(read(decodeService, "0c 00 0c 80 06 00 01 00 07 00 00 00").present, 0u);
}

TEST("an address of four bytes is taken, a name without its NUL or beyond its length too") {
  ServiceRecord four = read(decodeService, "08 00 03 00 0a 0a 0a 64");
  CHECK_EQUAL(check::text(four.address), check::text(check::bytes("0a 0a 0a 64 0 0 0 0 0 0 0 0 0 0 0 0")));
  CHECK_EQUAL(std::string(read(decodeService, "06 00 06 00 72 72").scheduler), "rr");
  std::string many = "24 00 06 00";
  for (int i = 0; i < 32; ++i) many += " 61";
  CHECK_EQUAL(std::string(read(decodeService, many).scheduler), std::string(15, 'a'));
}

TEST("nests cut anywhere, and with every length changed, are read within their bounds") {
  readEveryPrefix(decodeService, serviceBytes);
  readEveryPrefix(decodeDestination, destinationBytes);
  readEveryPrefix(decodeDaemon, daemonBytes);
  readEveryPrefix(decodeConfig, "08 00 04 00 84 03 00 00 08 00 05 00 78 00 00 00");
  readEveryPrefix(decodeInfo, "08 00 01 00 01 02 01 00 08 00 02 00 00 10 00 00");
  readEveryLength(decodeService, serviceBytes);
  readEveryLength(decodeDestination, destinationBytes);
  readEveryLength(decodeDaemon, daemonBytes);
}

TEST("attributes: the last one's padding may be missing, a length may not lie") {
  int seen = 0;
  auto count = [&](netlink::Attribute) { ++seen; };
  CHECK(netlink::forEachAttribute(check::bytes("05 00 01 00 02"), count));
  CHECK_EQUAL(seen, 1);
  CHECK(!netlink::forEachAttribute(check::bytes("03 00 01 00"), count));
  CHECK(!netlink::forEachAttribute(check::bytes("09 00 01 00 00 00 00 00"), count));
  CHECK(!netlink::forEachAttribute(check::bytes("04 00"), count));
  CHECK_EQUAL(seen, 1);
}

TEST("a family's number") {
  CHECK_EQUAL(
      netlink::readFamilyNumber(check::bytes("09 00 02 00 49 50 56 53 00 00 00 00 06 00 01 00 23 00 00 00")),
      0x23);
  CHECK_EQUAL(netlink::readFamilyNumber(check::bytes("05 00 01 00 23 00 00 00")), 0);
  CHECK_EQUAL(netlink::readFamilyNumber({}), 0);
}
