// Netlink attributes: { u16 length (header included) | u16 type | payload | padding to 4 }.
#pragma once

#include <linux/netlink.h>

#include <cstring>
#include <string_view>

#include "netlink/bytes.h"

namespace netlink {

struct Attribute {
  std::uint16_t type;  ///< without the flag bits for nesting and byte order
  ByteView payload;
};

/// Calls `visit(Attribute)` for each attribute. Returns false if the bytes end in the middle of one; the
/// attributes before it have been visited.
template <class Visit>
inline bool forEachAttribute(ByteView bytes, Visit&& visit) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  while (left >= NLA_HDRLEN) {
    std::size_t length = load<std::uint16_t>(at);
    if (length < NLA_HDRLEN || length > left) return false;
    std::uint16_t type = load<std::uint16_t>(at + 2) & NLA_TYPE_MASK;
    visit(Attribute{type, {at + NLA_HDRLEN, length - NLA_HDRLEN}});
    // The last attribute may lack its padding.
    std::size_t step = alignUp(length, NLA_ALIGNTO);
    if (step > left) step = left;
    at += step;
    left -= step;
  }
  return left == 0;
}

/// An attribute's payload as text, up to the first NUL. The kernel does not always send the NUL.
inline std::string_view textOf(ByteView payload) {
  auto text = reinterpret_cast<const char*>(payload.data());
  return {text, payload.empty() ? 0 : strnlen(text, payload.size())};
}

/// The attribute's length and type as a single word, which is how they are on the wire.
constexpr std::uint32_t attributeHeader(std::uint16_t type, std::size_t payload) {
  std::uint32_t length = static_cast<std::uint32_t>(NLA_HDRLEN + payload);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return length | static_cast<std::uint32_t>(type) << 16;
#else
  return length << 16 | type;
#endif
}

// Each put… function writes one attribute with its padding at `out` and returns the address after it.
// They do not check bounds: the caller reserves room for the longest possible message.

template <class T>
[[gnu::always_inline]] inline std::byte* putNumber(std::byte* out, std::uint16_t type, T value) {
  store(out, attributeHeader(type, sizeof value));
  if constexpr (sizeof value < NLA_ALIGNTO) store(out + NLA_HDRLEN, std::uint32_t{0});
  store(out + NLA_HDRLEN, value);
  return out + NLA_HDRLEN + alignUp(sizeof value, NLA_ALIGNTO);
}

template <std::size_t length>
[[gnu::always_inline]] inline std::byte* putBytes(std::byte* out, std::uint16_t type, const std::byte* from) {
  static_assert(length % NLA_ALIGNTO == 0);
  store(out, attributeHeader(type, length));
  std::memcpy(out + NLA_HDRLEN, from, length);
  return out + NLA_HDRLEN + length;
}

/// Writes a string with its NUL, as NLA_NUL_STRING policies require.
inline std::byte* putText(std::byte* out, std::uint16_t type, std::string_view text) {
  std::size_t payload = text.size() + 1;
  std::size_t padded = alignUp(payload, NLA_ALIGNTO);
  store(out, attributeHeader(type, payload));
  std::memcpy(out + NLA_HDRLEN, text.data(), text.size());
  std::memset(out + NLA_HDRLEN + text.size(), 0, padded - text.size());
  return out + NLA_HDRLEN + padded;
}

/// Begins a nest at `out`. Write its attributes next, then call `endNest`.
[[gnu::always_inline]] inline std::byte* beginNest(std::byte* out) { return out + NLA_HDRLEN; }

/// Ends the nest that began at `nest`.
[[gnu::always_inline]] inline void endNest(std::byte* nest, std::uint16_t type, const std::byte* end) {
  store(nest, attributeHeader(type | NLA_F_NESTED, static_cast<std::size_t>(end - nest) - NLA_HDRLEN));
}

}  // namespace netlink
