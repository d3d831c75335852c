// Encodes records as attributes. The tables of fields.h are unrolled at compile time into plain stores.
#pragma once

#include <sys/socket.h>

#include <utility>

#include "ipvs/fields.h"
#include "netlink/attribute.h"

namespace ipvs {

namespace detail {

inline std::uint16_t toBigEndian(std::uint16_t value) {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(value) : value;
}

inline std::uint32_t toBigEndian(std::uint32_t value) {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(value) : value;
}

template <const auto& nest, std::size_t index>
[[gnu::always_inline]] inline std::byte* putField(std::byte* out, const std::byte* record) {
  constexpr const Field& field = std::remove_cvref_t<decltype(nest)>::fields[index];
  const std::byte* value = record + field.offset;
  if constexpr (field.wire == Wire::u8) {
    return netlink::putNumber(out, field.attribute, netlink::load<std::uint8_t>(value));
  } else if constexpr (field.wire == Wire::u16) {
    return netlink::putNumber(out, field.attribute, netlink::load<std::uint16_t>(value));
  } else if constexpr (field.wire == Wire::u32) {
    return netlink::putNumber(out, field.attribute, netlink::load<std::uint32_t>(value));
  } else if constexpr (field.wire == Wire::bigEndian16) {
    return netlink::putNumber(out, field.attribute, toBigEndian(netlink::load<std::uint16_t>(value)));
  } else if constexpr (field.wire == Wire::address) {
    return netlink::putBytes<16>(out, field.attribute, value);
  } else if constexpr (field.wire == Wire::flags) {
    return netlink::putBytes<8>(out, field.attribute, value);
  } else if constexpr (field.wire == Wire::text) {
    auto text = reinterpret_cast<const char*>(value);
    return netlink::putText(out, field.attribute, {text, strnlen(text, field.length - 1)});
  } else if constexpr (field.wire == Wire::netmask) {
    auto netmask = netlink::load<std::uint32_t>(value);
    bool mask = netlink::load<std::uint16_t>(record + offsetof(ServiceRecord, family)) == AF_INET;
    return netlink::putNumber(out, field.attribute, mask ? toBigEndian(netmask) : netmask);
  } else if constexpr (field.wire == Wire::group) {
    bool six = netlink::load<std::uint16_t>(record + offsetof(DaemonRecord, groupFamily)) == AF_INET6;
    return six ? netlink::putBytes<16>(out, field.alternative, value)
               : netlink::putBytes<4>(out, field.attribute, value);
  } else {
    return out;
  }
}

/// The bits of the fields within the first `size` bytes of a record that a request may carry.
template <const auto& nest>
constexpr std::uint32_t writableBits(std::size_t size) {
  std::uint32_t bits = 0;
  for (const Field& field : std::remove_cvref_t<decltype(nest)>::fields) {
    if (field.wire != Wire::none && static_cast<std::size_t>(field.offset + field.length) <= size)
      bits |= 1u << field.bit;
  }
  return bits;
}

/// Writes the field of this index if its bit is set. `known` is the value of `bits` if known at compile time,
/// otherwise 0.
template <const auto& nest, std::uint32_t known, std::size_t index>
[[gnu::always_inline]] inline std::byte* putFieldOf(std::byte* out, const std::byte* record,
                                                    std::uint32_t bits) {
  constexpr const Field& field = std::remove_cvref_t<decltype(nest)>::fields[index];
  if constexpr (field.wire == Wire::none) {
    return out;
  } else if constexpr (known != 0) {
    if constexpr ((known & 1u << field.bit) == 0) return out;
    return putField<nest, index>(out, record);
  } else {
    return bits & 1u << field.bit ? putField<nest, index>(out, record) : out;
  }
}

template <const auto& nest, std::uint32_t known, std::size_t... index>
[[gnu::always_inline]] inline std::byte* putFields(std::byte* out, const std::byte* record,
                                                   std::uint32_t bits, std::index_sequence<index...>) {
  ((out = putFieldOf<nest, known, index>(out, record, bits)), ...);
  return out;
}

}  // namespace detail

/// Writes the attributes that the record's `present` names, if they are within its first `size` bytes and
/// allowed in a request. Returns the end. A record with exactly the attributes in `likely` is written
/// fastest, without branches and at fixed offsets.
template <const auto& nest, std::uint32_t likely = 0>
[[gnu::always_inline]] inline std::byte* encodeFields(std::byte* out, const std::byte* record,
                                                      std::size_t size) {
  using Nest = std::remove_cvref_t<decltype(nest)>;
  using Record = typename Nest::RecordType;
  constexpr auto indices = std::make_index_sequence<Nest::fields.size()>{};
  std::uint32_t bits = netlink::load<std::uint32_t>(record);
  bits &= size >= Record::requestSize ? detail::writableBits<nest>(Record::requestSize)
                                      : detail::writableBits<nest>(Record::keySize);
  if constexpr (likely != 0) {
    if (bits == likely) return detail::putFields<nest, likely>(out, record, bits, indices);
  }
  return detail::putFields<nest, 0>(out, record, bits, indices);
}

/// The same, inside the record's nest if it has one.
template <const auto& nest, std::uint32_t likely = 0>
[[gnu::always_inline]] inline std::byte* encode(std::byte* out, const std::byte* record, std::size_t size) {
  if constexpr (nest.attribute == 0) {
    return encodeFields<nest, likely>(out, record, size);
  } else {
    std::byte* end = encodeFields<nest, likely>(netlink::beginNest(out), record, size);
    netlink::endNest(out, nest.attribute, end);
    return end;
  }
}

}  // namespace ipvs
