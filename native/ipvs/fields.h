// Describes every nest of the IPVS family: which field of a record belongs to which attribute, and how it is
// written. Encoding, decoding and the schema for JavaScript all follow from these tables. To add an
// attribute, add a line here and a member in records.h. Lines are in the order in which the kernel sends the
// attributes. Other orders are decoded too, but this one is decoded fastest.
#pragma once

#include <linux/ip_vs.h>

#include <array>
#include <string_view>

#include "ipvs/records.h"

namespace ipvs {

/// A field's type in the record.
enum class Type : std::uint8_t { u8, u16, u32, i32, u64, bytes, string };

/// A field's form on the wire.
enum class Wire : std::uint8_t {
  none,  ///< no attribute: the field travels with the one before it, or not at all
  u8,
  u16,
  u32,
  bigEndian16,  ///< u16 in network order: ports, except the sync daemons'
  address,      ///< 16 bytes; answers may have 4
  text,
  flags,    ///< { u32 flags, u32 mask }, two fields in a row
  netmask,  ///< IPv4: u32 in network order; IPv6: u32 in native order, a prefix length
  group,  ///< `attribute` with 4 bytes for IPv4, `alternative` with 16 for IPv6; the next field is its family
  counter,  ///< inside the statistics nests: u32 or u64
};

struct Field {
  std::string_view name;
  std::uint16_t offset;
  std::uint16_t length;
  Type type;
  std::int8_t bit;  ///< in `present`; -1 for `present` itself
  Wire wire;
  std::uint16_t attribute;
  std::uint16_t alternative = 0;
};

// One line per field, to keep them readable as tables.
// clang-format off

#define IPVS_FIELD(Record, member) #member, offsetof(Record, member), sizeof(Record::member)

/// The attributes of both statistics nests, STATS and STATS64. Offsets are relative to Counters.
inline constexpr std::array counterFields{
    Field{IPVS_FIELD(Counters, connections), Type::u64, 0, Wire::counter, IPVS_STATS_ATTR_CONNS},
    Field{IPVS_FIELD(Counters, inPackets), Type::u64, 1, Wire::counter, IPVS_STATS_ATTR_INPKTS},
    Field{IPVS_FIELD(Counters, outPackets), Type::u64, 2, Wire::counter, IPVS_STATS_ATTR_OUTPKTS},
    Field{IPVS_FIELD(Counters, inBytes), Type::u64, 3, Wire::counter, IPVS_STATS_ATTR_INBYTES},
    Field{IPVS_FIELD(Counters, outBytes), Type::u64, 4, Wire::counter, IPVS_STATS_ATTR_OUTBYTES},
    Field{IPVS_FIELD(Counters, rateConnections), Type::u64, 5, Wire::counter, IPVS_STATS_ATTR_CPS},
    Field{IPVS_FIELD(Counters, rateInPackets), Type::u64, 6, Wire::counter, IPVS_STATS_ATTR_INPPS},
    Field{IPVS_FIELD(Counters, rateOutPackets), Type::u64, 7, Wire::counter, IPVS_STATS_ATTR_OUTPPS},
    Field{IPVS_FIELD(Counters, rateInBytes), Type::u64, 8, Wire::counter, IPVS_STATS_ATTR_INBPS},
    Field{IPVS_FIELD(Counters, rateOutBytes), Type::u64, 9, Wire::counter, IPVS_STATS_ATTR_OUTBPS},
};

inline constexpr std::array serviceFields{
    Field{IPVS_FIELD(ServiceRecord, present), Type::u32, -1, Wire::none, 0},
    Field{IPVS_FIELD(ServiceRecord, family), Type::u16, 0, Wire::u16, IPVS_SVC_ATTR_AF},
    Field{IPVS_FIELD(ServiceRecord, fwmark), Type::u32, 3, Wire::u32, IPVS_SVC_ATTR_FWMARK},
    Field{IPVS_FIELD(ServiceRecord, protocol), Type::u16, 1, Wire::u16, IPVS_SVC_ATTR_PROTOCOL},
    Field{IPVS_FIELD(ServiceRecord, address), Type::bytes, 4, Wire::address, IPVS_SVC_ATTR_ADDR},
    Field{IPVS_FIELD(ServiceRecord, port), Type::u16, 2, Wire::bigEndian16, IPVS_SVC_ATTR_PORT},
    Field{IPVS_FIELD(ServiceRecord, scheduler), Type::string, 8, Wire::text, IPVS_SVC_ATTR_SCHED_NAME},
    Field{IPVS_FIELD(ServiceRecord, persistenceEngine), Type::string, 9, Wire::text, IPVS_SVC_ATTR_PE_NAME},
    Field{IPVS_FIELD(ServiceRecord, flags), Type::u32, 5, Wire::flags, IPVS_SVC_ATTR_FLAGS},
    Field{IPVS_FIELD(ServiceRecord, flagsMask), Type::u32, 5, Wire::none, 0},
    Field{IPVS_FIELD(ServiceRecord, timeout), Type::u32, 6, Wire::u32, IPVS_SVC_ATTR_TIMEOUT},
    Field{IPVS_FIELD(ServiceRecord, netmask), Type::u32, 7, Wire::netmask, IPVS_SVC_ATTR_NETMASK},
};

inline constexpr std::array destinationFields{
    Field{IPVS_FIELD(DestinationRecord, present), Type::u32, -1, Wire::none, 0},
    Field{IPVS_FIELD(DestinationRecord, address), Type::bytes, 2, Wire::address, IPVS_DEST_ATTR_ADDR},
    Field{IPVS_FIELD(DestinationRecord, port), Type::u16, 1, Wire::bigEndian16, IPVS_DEST_ATTR_PORT},
    Field{IPVS_FIELD(DestinationRecord, forward), Type::u32, 3, Wire::u32, IPVS_DEST_ATTR_FWD_METHOD},
    Field{IPVS_FIELD(DestinationRecord, weight), Type::i32, 4, Wire::u32, IPVS_DEST_ATTR_WEIGHT},
    Field{IPVS_FIELD(DestinationRecord, tunnelType), Type::u8, 9, Wire::u8, IPVS_DEST_ATTR_TUN_TYPE},
    Field{IPVS_FIELD(DestinationRecord, tunnelPort), Type::u16, 7, Wire::bigEndian16, IPVS_DEST_ATTR_TUN_PORT},
    Field{IPVS_FIELD(DestinationRecord, tunnelFlags), Type::u16, 8, Wire::u16, IPVS_DEST_ATTR_TUN_FLAGS},
    Field{IPVS_FIELD(DestinationRecord, upperThreshold), Type::u32, 5, Wire::u32, IPVS_DEST_ATTR_U_THRESH},
    Field{IPVS_FIELD(DestinationRecord, lowerThreshold), Type::u32, 6, Wire::u32, IPVS_DEST_ATTR_L_THRESH},
    Field{IPVS_FIELD(DestinationRecord, activeConnections), Type::u32, 10, Wire::u32, IPVS_DEST_ATTR_ACTIVE_CONNS},
    Field{IPVS_FIELD(DestinationRecord, inactiveConnections), Type::u32, 11, Wire::u32, IPVS_DEST_ATTR_INACT_CONNS},
    Field{IPVS_FIELD(DestinationRecord, persistentConnections), Type::u32, 12, Wire::u32, IPVS_DEST_ATTR_PERSIST_CONNS},
    Field{IPVS_FIELD(DestinationRecord, family), Type::u16, 0, Wire::u16, IPVS_DEST_ATTR_ADDR_FAMILY},
};

inline constexpr std::array daemonFields{
    Field{IPVS_FIELD(DaemonRecord, present), Type::u32, -1, Wire::none, 0},
    Field{IPVS_FIELD(DaemonRecord, state), Type::u32, 0, Wire::u32, IPVS_DAEMON_ATTR_STATE},
    Field{IPVS_FIELD(DaemonRecord, syncId), Type::u32, 1, Wire::u32, IPVS_DAEMON_ATTR_SYNC_ID},
    Field{IPVS_FIELD(DaemonRecord, maxLength), Type::u16, 2, Wire::u16, IPVS_DAEMON_ATTR_SYNC_MAXLEN},
    Field{IPVS_FIELD(DaemonRecord, port), Type::u16, 3, Wire::u16, IPVS_DAEMON_ATTR_MCAST_PORT},
    Field{IPVS_FIELD(DaemonRecord, group), Type::bytes, 4, Wire::group, IPVS_DAEMON_ATTR_MCAST_GROUP, IPVS_DAEMON_ATTR_MCAST_GROUP6},
    Field{IPVS_FIELD(DaemonRecord, groupFamily), Type::u16, 4, Wire::none, 0},
    Field{IPVS_FIELD(DaemonRecord, ttl), Type::u8, 5, Wire::u8, IPVS_DAEMON_ATTR_MCAST_TTL},
    Field{IPVS_FIELD(DaemonRecord, interface), Type::string, 6, Wire::text, IPVS_DAEMON_ATTR_MCAST_IFN},
};

inline constexpr std::array configFields{
    Field{IPVS_FIELD(ConfigRecord, present), Type::u32, -1, Wire::none, 0},
    Field{IPVS_FIELD(ConfigRecord, tcp), Type::u32, 0, Wire::u32, IPVS_CMD_ATTR_TIMEOUT_TCP},
    Field{IPVS_FIELD(ConfigRecord, tcpFin), Type::u32, 1, Wire::u32, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN},
    Field{IPVS_FIELD(ConfigRecord, udp), Type::u32, 2, Wire::u32, IPVS_CMD_ATTR_TIMEOUT_UDP},
};

inline constexpr std::array infoFields{
    Field{IPVS_FIELD(InfoRecord, present), Type::u32, -1, Wire::none, 0},
    Field{IPVS_FIELD(InfoRecord, version), Type::u32, 0, Wire::u32, IPVS_INFO_ATTR_VERSION},
    Field{IPVS_FIELD(InfoRecord, connectionTableSize), Type::u32, 1, Wire::u32, IPVS_INFO_ATTR_CONN_TAB_SIZE},
};

#undef IPVS_FIELD

// clang-format on

/// How a record's attributes are nested, and where its counters are.
template <class Record, const auto& table>
struct NestOf {
  using RecordType = Record;
  static constexpr const auto& fields = table;
  std::string_view name;
  std::uint16_t attribute;       ///< the command's attribute that holds the nest; 0 if the fields are its own
  std::uint16_t statistics = 0;  ///< the nest of 32-bit counters
  std::uint16_t statistics64 = 0;  ///< the nest of 64-bit counters
  std::uint16_t countersOffset = 0;
  std::int8_t countersBit = 0;
};

inline constexpr NestOf<ServiceRecord, serviceFields> serviceNest{"service",
                                                                  IPVS_CMD_ATTR_SERVICE,
                                                                  IPVS_SVC_ATTR_STATS,
                                                                  IPVS_SVC_ATTR_STATS64,
                                                                  offsetof(ServiceRecord, counters),
                                                                  10};
inline constexpr NestOf<DestinationRecord, destinationFields> destinationNest{
    "destination",
    IPVS_CMD_ATTR_DEST,
    IPVS_DEST_ATTR_STATS,
    IPVS_DEST_ATTR_STATS64,
    offsetof(DestinationRecord, counters),
    13};
inline constexpr NestOf<DaemonRecord, daemonFields> daemonNest{"daemon", IPVS_CMD_ATTR_DAEMON};
inline constexpr NestOf<ConfigRecord, configFields> configNest{"config", 0};
inline constexpr NestOf<InfoRecord, infoFields> infoNest{"info", 0};

}  // namespace ipvs
