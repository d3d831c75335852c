// The packed reply that JavaScript reads.
//
// clang-format off
//   header: { u32 requestCount | u32 recordsOffset | u32 textsOffset | u32 total }
//   one entry a request: { i32 outcome | u32 recordCount | u32 recordsOffset | u32 text }
//   records, each request's own in a row · texts, NUL-terminated · zeros up to a multiple of 8
// clang-format on
//
// Offsets are absolute 32-bit numbers, which limits a reply to 4 GiB. There is no reply at all if every
// request was carried out and none answers with records.
#pragma once

#include <string_view>

#include "netlink/bytes.h"

namespace ipvs {

struct ReplyHeader {
  std::uint32_t requestCount;
  std::uint32_t recordsOffset;
  std::uint32_t textsOffset;
  std::uint32_t total;
};

struct ReplyEntry {
  std::int32_t outcome;  ///< a negative errno if refused, otherwise one of the outcomes below
  std::uint32_t recordCount;
  std::uint32_t recordsOffset;  ///< if the outcome is unknown or not sent: the errno of the cause, 0 for none
  std::uint32_t text;           ///< 0 for none
};

enum Outcome : std::int32_t {
  done = 0,
  unknown = 1,  ///< sent, but the answer was lost
  notSent = 2,
};

class ReplyWriter {
 public:
  /// Begins the reply to `count` requests. Allocates nothing until there is an outcome or a record to write.
  void begin(std::uint32_t count);

  void setOutcome(std::uint32_t request, std::int32_t outcome, std::string_view text = {});
  /// Marks a request as unknown or not sent. `error` is the cause, a negative errno.
  void setLost(std::uint32_t request, Outcome outcome, int error);
  std::int32_t outcome(std::uint32_t request) const;
  std::uint32_t recordCount(std::uint32_t request) const;

  /// Marks the request as answered with records, even if there turn out to be none.
  void expectRecords(std::uint32_t request);
  /// Adds an uninitialised record of `size` bytes, valid until the next call. Null if it would not directly
  /// follow the request's other records, or would lie beyond the reach of offsets.
  std::byte* addRecord(std::uint32_t request, std::size_t size);
  /// Removes a request's outcome and records.
  void forget(std::uint32_t request);

  /// Completes the reply. Its bytes are empty if every request was carried out and none has records.
  void finish();

  netlink::Bytes& bytes() { return bytes_; }

 private:
  void start();
  ReplyEntry entry(std::uint32_t request) const;
  void setEntry(std::uint32_t request, const ReplyEntry& entry);

  netlink::Bytes bytes_;
  netlink::Bytes texts_;
  std::uint32_t count_ = 0;
  bool answers_ = false;
};

}  // namespace ipvs
