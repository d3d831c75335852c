#include "ipvs/decode.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

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

// Maps an attribute to the index of its field plus one; 0 for an unknown attribute.
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

std::uint16_t fromBigEndian(const std::byte* at) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(at[0]) << 8 | static_cast<unsigned>(at[1]));
}

// Reads one attribute into its field. Returns false if the attribute is too short.
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
      store(to, fromBigEndian(payload.data()));
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

// Fast path for what most kernels send: the attributes in the order of the table. Each function below reads
// an attribute if it is the next one, which takes a single comparison of the header word. The general path
// reads the rest.
struct Cursor {
  const std::byte* at;
  const std::byte* end;
  std::size_t left() const { return static_cast<std::size_t>(end - at); }
};

template <class Table, std::size_t index>
[[gnu::always_inline]] inline void takeExpected(Cursor& cursor, std::byte* record, std::uint32_t& present) {
  constexpr const Field& field = Table::fields[index];
  constexpr std::size_t length = field.wire == Wire::u8                                       ? 1
                                 : field.wire == Wire::u16 || field.wire == Wire::bigEndian16 ? 2
                                 : field.wire == Wire::u32 || field.wire == Wire::netmask     ? 4
                                 : field.wire == Wire::flags || field.wire == Wire::counter   ? 8
                                 : field.wire == Wire::address                                ? 16
                                                                                              : 0;
  if constexpr (length > 0) {
    constexpr std::size_t step = NLA_HDRLEN + netlink::alignUp(length, NLA_ALIGNTO);
    if (cursor.left() < step) return;
    if (load<std::uint32_t>(cursor.at) != netlink::attributeHeader(field.attribute, length)) return;
    if constexpr (field.wire == Wire::bigEndian16) {
      store(record + field.offset, fromBigEndian(cursor.at + NLA_HDRLEN));
    } else {
      std::memcpy(record + field.offset, cursor.at + NLA_HDRLEN, length);
    }
    cursor.at += step;
    present |= 1u << field.bit;
  } else if constexpr (field.wire == Wire::text) {
    if (cursor.left() < NLA_HDRLEN || load<std::uint16_t>(cursor.at + 2) != field.attribute) return;
    std::size_t whole = load<std::uint16_t>(cursor.at);
    if (whole < NLA_HDRLEN || netlink::alignUp(whole, NLA_ALIGNTO) > cursor.left()) return;
    readField(field, {cursor.at + NLA_HDRLEN, whole - NLA_HDRLEN}, record);
    cursor.at += netlink::alignUp(whole, NLA_ALIGNTO);
    present |= 1u << field.bit;
  }
}

// Reads attributes as long as they come in the expected order. Sets their bits and returns the remaining
// bytes.
template <class Table>
[[gnu::always_inline]] inline ByteView takeAllExpected(ByteView attributes, std::byte* record,
                                                       std::uint32_t& present) {
  Cursor cursor{attributes.data(), attributes.data() + attributes.size()};
  std::uint32_t bits = 0;
  [&]<std::size_t... index>(std::index_sequence<index...>) {
    (takeExpected<Table, index>(cursor, record, bits), ...);
  }
  (std::make_index_sequence<Table::fields.size()>{});
  present = bits;
  return {cursor.at, cursor.left()};
}

struct CounterTable {
  static constexpr const auto& fields = counterFields;
};

// Reads a statistics nest with 32-bit or 64-bit numbers. Returns the bits of the counters it found.
std::uint32_t readCounters(ByteView nest, std::byte* counters) {
  std::uint32_t bits = 0;
  ByteView rest = takeAllExpected<CounterTable>(nest, counters, bits);
  netlink::forEachAttribute(rest, [&](Attribute attribute) {
    const Field* field = fieldOf<counterFields>(attribute.type);
    if (!field || attribute.payload.size() < 4) return;
    const std::byte* from = attribute.payload.data();
    std::uint64_t value =
        attribute.payload.size() >= 8 ? load<std::uint64_t>(from) : load<std::uint32_t>(from);
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
  ByteView rest = takeAllExpected<Nest>(attributes, record, present);
  netlink::forEachAttribute(rest, [&](Attribute attribute) {
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
    // Kernels from 4.1 on send both. The 32-bit counters wrap.
    ByteView counters = statistics64.empty() ? statistics : statistics64;
    present |= readCounters(counters, record + nest.countersOffset) << nest.countersBit;
  }
  store(record, present);
}

}  // namespace

void decodeService(ByteView attributes, ServiceRecord& record) {
  decode<serviceNest>(attributes, &record);
  // Converted last, because the family may come after the netmask.
  if (record.family == AF_INET && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
    record.netmask = __builtin_bswap32(record.netmask);
  }
}

void decodeDestination(ByteView attributes, DestinationRecord& record) {
  decode<destinationNest>(attributes, &record);
}
void decodeDaemon(ByteView attributes, DaemonRecord& record) { decode<daemonNest>(attributes, &record); }
void decodeConfig(ByteView attributes, ConfigRecord& record) { decode<configNest>(attributes, &record); }
void decodeInfo(ByteView attributes, InfoRecord& record) { decode<infoNest>(attributes, &record); }

}  // namespace ipvs
