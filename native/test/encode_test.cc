// Encodes packed requests, attribute by attribute. The byte vectors are little-endian.
#include <netinet/in.h>

#include "check.h"
#include "ipvs/request.h"
#include "pack.h"

using namespace ipvs;

namespace {

// The attributes of a batch's only request, as text. The two headers have a test of their own.
std::string wire(const pack::Batch& batch) {
  check::Exact packed(batch.bytes);
  RequestReader reader(packed.view(), 1);
  PackedRequest request;
  if (reader.next(request) != RequestReader::State::request) return "malformed";
  std::byte out[longestRequest];
  std::memset(out, 0xee, sizeof out);
  std::byte* end = encodeRequest(out, request, 0x23, 0x01020304);
  CHECK(end <= out + sizeof out);
  CHECK_EQUAL(netlink::load<std::uint32_t>(out), static_cast<std::size_t>(end - out));
  CHECK_EQUAL((end - out) % 4, 0);
  return check::text({out + 20, end});
}

std::string expected(const char* text) { return check::text(check::bytes(text)); }

const char* const keyAttributes =
    "06 00 01 00 02 00 00 00"  // AF: IPv4
    "06 00 02 00 06 00 00 00"  // PROTOCOL: TCP
    "14 00 03 00 0a 0a 0a 64 00 00 00 00 00 00 00 00 00 00 00 00"
    "06 00 04 00 00 50 00 00";  // PORT: 80, in network order

}  // namespace

TEST("both headers of a request") {
  pack::Batch batch;
  batch.plain(IPVS_CMD_FLUSH);
  RequestReader reader(batch.bytes, 1);
  PackedRequest request;
  CHECK(reader.next(request) == RequestReader::State::request);
  std::byte out[longestRequest];
  std::byte* end = encodeRequest(out, request, 0x23, 0x01020304);
  // clang-format off
  //                                             length      type  flags sequence    port        command, version
  // clang-format on
  CHECK_EQUAL(check::text({out, end}),
              expected("14 00 00 00 23 00 01 00 04 03 02 01 00 00 00 00 11 01 00 00"));
}

TEST("a service with all that configures it") {
  ServiceRecord service = pack::service();
  service.flags = IP_VS_SVC_F_PERSISTENT;
  service.present |= pack::bits<serviceNest>({"persistenceEngine"});
  std::strcpy(service.persistenceEngine, "sip");
  CHECK_EQUAL(wire(pack::Batch().newService(service)),
              expected((std::string("5c 00 01 80") + keyAttributes +
                        "08 00 06 00 77 6c 63 00"              // SCHED_NAME: wlc
                        "08 00 0b 00 73 69 70 00"              // PE_NAME: sip
                        "0c 00 07 00 01 00 00 00 ff ff ff ff"  // FLAGS and their mask
                        "08 00 08 00 2c 01 00 00"              // TIMEOUT: 300
                        "08 00 09 00 ff ff ff 00")             // NETMASK: 255.255.255.0 in network order
                           .c_str()));
}

TEST("an IPv6 service by firewall mark: no address, a prefix length instead of a mask") {
  ServiceRecord service{};
  service.present = pack::bits<serviceNest>({"family", "fwmark", "netmask", "scheduler"});
  service.family = AF_INET6;
  service.fwmark = 0xee6b2800;
  service.netmask = 64;
  std::strcpy(service.scheduler, "mh");
  CHECK_EQUAL(wire(pack::Batch().newService(service)), expected("24 00 01 80"
                                                                "06 00 01 00 0a 00 00 00"
                                                                "08 00 05 00 00 28 6b ee"
                                                                "07 00 06 00 6d 68 00 00"
                                                                "08 00 09 00 40 00 00 00"));
}

TEST("a plain destination of a service, the request there are most of") {
  CHECK_EQUAL(wire(pack::Batch().ofDestination(IPVS_CMD_NEW_DEST, pack::serviceKey(), pack::destination())),
              expected((std::string("30 00 01 80") + keyAttributes +
                        "48 00 02 80"
                        "14 00 01 00 0a 0a 0a 02 00 00 00 00 00 00 00 00 00 00 00 00"
                        "06 00 02 00 1f 90 00 00"   // PORT: 8080
                        "08 00 03 00 02 00 00 00"   // FWD_METHOD
                        "08 00 04 00 07 00 00 00"   // WEIGHT
                        "08 00 05 00 14 00 00 00"   // U_THRESH
                        "08 00 06 00 0a 00 00 00"   // L_THRESH
                        "06 00 0b 00 02 00 00 00")  // ADDR_FAMILY
                           .c_str()));
}

TEST("a destination behind a GUE tunnel") {
  DestinationRecord destination{};
  destination.present = pack::bits<destinationNest>({"weight", "tunnelType", "tunnelPort", "tunnelFlags"});
  destination.weight = -1;
  destination.tunnelType = IP_VS_CONN_F_TUNNEL_TYPE_GUE;
  destination.tunnelPort = 5555;
  destination.tunnelFlags = IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM;
  ServiceRecord mark{};
  mark.present = pack::bits<serviceNest>({"fwmark"});
  mark.fwmark = 1;
  CHECK_EQUAL(wire(pack::Batch().ofDestination(IPVS_CMD_SET_DEST, mark, destination)),
              expected("0c 00 01 80 08 00 05 00 01 00 00 00"
                       "24 00 02 80"
                       "08 00 04 00 ff ff ff ff"
                       "05 00 0d 00 01 00 00 00"     // TUN_TYPE
                       "06 00 0e 00 15 b3 00 00"     // TUN_PORT: 5555, in network order
                       "06 00 0f 00 02 00 00 00"));  // TUN_FLAGS
}

TEST("a sync daemon with all its options, its group IPv4") {
  DaemonRecord daemon{};
  daemon.present =
      pack::bits<daemonNest>({"state", "syncId", "maxLength", "port", "group", "ttl", "interface"});
  daemon.state = IP_VS_STATE_MASTER;
  daemon.syncId = 7;
  daemon.maxLength = 1400;
  daemon.port = 9000;
  daemon.groupFamily = AF_INET;
  daemon.ttl = 3;
  std::memcpy(daemon.group, "\xe0\x00\x00\x51", 4);
  std::strcpy(daemon.interface, "eth0");
  CHECK_EQUAL(wire(pack::Batch().add(IPVS_CMD_NEW_DAEMON, 0, std::pair{&daemon, sizeof daemon})),
              expected("40 00 03 80"
                       "08 00 01 00 01 00 00 00"
                       "08 00 03 00 07 00 00 00"
                       "06 00 04 00 78 05 00 00"  // SYNC_MAXLEN
                       "06 00 07 00 28 23 00 00"  // MCAST_PORT: 9000, in the machine's order
                       "08 00 05 00 e0 00 00 51"  // MCAST_GROUP
                       "05 00 08 00 03 00 00 00"  // MCAST_TTL
                       "09 00 02 00 65 74 68 30 00 00 00 00"));
  daemon.present = pack::bits<daemonNest>({"group"});
  daemon.groupFamily = AF_INET6;
  CHECK_EQUAL(wire(pack::Batch().add(IPVS_CMD_NEW_DAEMON, 0, std::pair{&daemon, sizeof daemon})),
              expected("18 00 03 80 14 00 06 00 e0 00 00 51 00 00 00 00 00 00 00 00 00 00 00 00"));
}

TEST("timeouts are attributes of the command itself, and zero is not absent") {
  ConfigRecord config{pack::bits<configNest>({"tcp", "udp"}), 900, 120, 0};
  CHECK_EQUAL(wire(pack::Batch().add(IPVS_CMD_SET_CONFIG, 0, std::pair{&config, sizeof config})),
              expected("08 00 04 00 84 03 00 00"
                       "08 00 06 00 00 00 00 00"));
}

TEST("a key cut from a service never sends what lies behind it") {
  ServiceRecord service = pack::service();
  CHECK_EQUAL(wire(pack::Batch().ofService(IPVS_CMD_DEL_SERVICE, service)),
              expected((std::string("30 00 01 80") + keyAttributes).c_str()));
}

TEST("what only the kernel sets is never sent") {
  ServiceRecord service{};
  service.present = ~pack::bits<serviceNest>({"family", "protocol", "port", "fwmark", "address", "flags",
                                              "timeout", "netmask", "scheduler", "persistenceEngine"});
  CHECK_EQUAL(wire(pack::Batch().newService(service)), expected("04 00 01 80"));
  DestinationRecord destination{};
  destination.present =
      pack::bits<destinationNest>({"activeConnections"}) | 1u << 31 | 1u << destinationNest.countersBit;
  ServiceRecord none{};
  CHECK_EQUAL(wire(pack::Batch().ofDestination(IPVS_CMD_NEW_DEST, none, destination)),
              expected("04 00 01 80 04 00 02 80"));
}

TEST("the longest request there is fits, and text without an end is ended") {
  ServiceRecord service{};
  service.present = ~0u;
  service.family = AF_INET6;
  std::memset(service.scheduler, 'x', sizeof service.scheduler);
  std::memset(service.persistenceEngine, 'y', sizeof service.persistenceEngine);
  std::string text = wire(pack::Batch().newService(service));
  CHECK(text.find("78 78 78 00|") != std::string::npos);
  CHECK(text.find("79 79 79 00|") != std::string::npos);
  DestinationRecord destination{};
  destination.present = ~0u;
  CHECK(wire(pack::Batch().ofDestination(IPVS_CMD_NEW_DEST, service, destination)) != "malformed");
}

TEST("a request that is not well-formed is seen before it is read") {
  pack::Batch batch;
  batch.ofDestination(IPVS_CMD_NEW_DEST, pack::serviceKey(), pack::destination());
  std::vector<std::byte> whole = batch.bytes;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    batch.bytes.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK_EQUAL(wire(batch), "malformed");
  }
  auto withSize = [&](std::uint16_t size, std::uint16_t command) {
    batch.bytes = whole;
    batch.bytes.resize(whole.size() + 64);
    netlink::store(batch.bytes.data(), RequestHeader{size, command, 0, 0});
    return wire(batch);
  };
  CHECK_EQUAL(withSize(0, IPVS_CMD_FLUSH), "malformed");
  CHECK_EQUAL(withSize(4, IPVS_CMD_FLUSH), "malformed");
  CHECK_EQUAL(withSize(12, IPVS_CMD_FLUSH), "malformed");
  CHECK_EQUAL(withSize(16, IPVS_CMD_FLUSH), "malformed");
  CHECK_EQUAL(withSize(40, IPVS_CMD_NEW_DEST), "malformed");
  CHECK_EQUAL(withSize(8, IPVS_CMD_NEW_SERVICE), "malformed");
  CHECK_EQUAL(withSize(0xfff8, IPVS_CMD_FLUSH), "malformed");
  CHECK_EQUAL(withSize(8, 0), "malformed");
  CHECK_EQUAL(withSize(8, IPVS_CMD_SET_INFO), "malformed");
  CHECK_EQUAL(withSize(8, 0xffff), "malformed");
  CHECK_EQUAL(withSize(8, IPVS_CMD_FLUSH), "");
  CHECK_EQUAL(withSize(8, IPVS_CMD_ZERO), "");
}
