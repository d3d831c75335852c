// Packed requests, as JavaScript writes them, to netlink messages.
//
//   packed request: { u16 size | u16 command | u16 flags | u16 0 } records…      sizes are multiples of 8
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

/// One packed request, checked: its body is as long as its command needs.
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

  /// Reads the next request. After `malformed` nothing more can be read.
  State next(PackedRequest& request);

  /// How many have been read, and a way back to where they began.
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

/// No message that `encodeRequest` writes is longer.
inline constexpr std::size_t longestRequest = 384;

/// Writes a request as one netlink message at `out`, which has room for `longestRequest` bytes. Returns its
/// end.
std::byte* encodeRequest(std::byte* out, const PackedRequest& request, std::uint16_t family,
                         std::uint32_t sequence);

}  // namespace ipvs
