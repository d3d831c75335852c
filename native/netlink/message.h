// Netlink messages: { u32 length | u16 type | u16 flags | u32 sequence | u32 port | payload | padding to 4 },
// and the generic-netlink header { u8 command | u8 version | u16 0 } that begins the payload of a family's
// messages.
#pragma once

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "netlink/bytes.h"

namespace netlink {

struct Message {
  nlmsghdr header;
  ByteView payload;
};

/// Calls `visit(const Message&)` for each message of a datagram. Returns false if the datagram ends in the
/// middle of a message.
template <class Visit>
inline bool forEachMessage(ByteView datagram, Visit&& visit) {
  const std::byte* at = datagram.data();
  std::size_t left = datagram.size();
  while (left >= NLMSG_HDRLEN) {
    Message message{load<nlmsghdr>(at), {}};
    std::size_t length = message.header.nlmsg_len;
    if (length < NLMSG_HDRLEN || length > left) return false;
    message.payload = {at + NLMSG_HDRLEN, length - NLMSG_HDRLEN};
    visit(static_cast<const Message&>(message));
    std::size_t step = alignUp(length, NLMSG_ALIGNTO);
    if (step > left) step = left;
    at += step;
    left -= step;
  }
  return left == 0;
}

/// Where the attributes of a generic-netlink message begin.
constexpr std::size_t genericHeaderLength = NLMSG_HDRLEN + GENL_HDRLEN;

/// The attributes of a generic-netlink message; empty if it is too short to have any.
inline ByteView attributesOf(const Message& message) {
  return message.payload.size() < GENL_HDRLEN ? ByteView{} : message.payload.subspan(GENL_HDRLEN);
}

/// Writes both headers of a generic-netlink request at `out` and returns where its attributes begin. Call
/// `setLength` after the last attribute.
[[gnu::always_inline]] inline std::byte* putHeader(std::byte* out, std::uint16_t family, std::uint16_t flags,
                                                   std::uint32_t sequence, std::uint8_t command,
                                                   std::uint8_t version) {
  store(out, nlmsghdr{0, family, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), sequence, 0});
  store(out + NLMSG_HDRLEN, genlmsghdr{command, version, 0});
  return out + genericHeaderLength;
}

inline void setLength(std::byte* message, const std::byte* end) {
  store(message, static_cast<std::uint32_t>(end - message));
}

/// Adds flags to a written message.
inline void addFlags(std::byte* message, std::uint16_t flags) {
  std::byte* at = message + offsetof(nlmsghdr, nlmsg_flags);
  store<std::uint16_t>(at, load<std::uint16_t>(at) | flags);
}

}  // namespace netlink
