// Encodes the packed requests that JavaScript writes as netlink messages.
//
// clang-format off
//   packed request: { u16 size | u16 command | u16 flags | u16 0 } records…      sizes are multiples of 8
// clang-format on
#pragma once

#include "ipvs/commands.h"
#include "netlink/bytes.h"

namespace ipvs {

struct RequestHeader {
  std::uint16_t size;  ///< of the whole packed request, this header included
  std::uint16_t command;
  std::uint16_t flags;
  std::uint16_t reserved;
};

inline constexpr std::uint16_t requestDump = 1;

/// One checked packed request: its body is as long as its command requires.
struct PackedRequest {
  const Command* command;
  bool dump;
  netlink::ByteView body;
};

/// Reads packed requests one after the other.
class RequestReader {
 public:
  RequestReader(netlink::ByteView packed, std::uint32_t count) : packed_(packed), count_(count) {}

  enum class State { request, end, malformed };

  /// Reads the next request. Nothing more can be read after `malformed`.
  State next(PackedRequest& request);

  /// How many requests have been read. `position` and `rewind` go back to an earlier one.
  std::uint32_t index() const { return index_; }
  struct Position {
    std::size_t offset;
    std::uint32_t index;
  };
  Position position() const { return {offset_, index_}; }
  void rewind(Position position) {
    offset_ = position.offset;
    index_ = position.index;
  }

 private:
  netlink::ByteView packed_;
  std::uint32_t count_;
  std::size_t offset_ = 0;
  std::uint32_t index_ = 0;
};

/// The longest message, in bytes, that `encodeRequest` writes.
inline constexpr std::size_t longestRequest = 384;

/// Writes a request as one netlink message at `out`, which must have room for `longestRequest` bytes. Returns
/// the message's end.
std::byte* encodeRequest(std::byte* out, const PackedRequest& request, std::uint16_t family,
                         std::uint32_t sequence);

}  // namespace ipvs
