// The packed reply: what JavaScript reads.
//
//   header: { u32 requestCount | u32 recordsOffset | u32 textsOffset | u32 total }
//   one entry a request: { i32 outcome | u32 recordCount | u32 recordsOffset | u32 text }
//   records, each request's own in a row · texts, NUL-terminated · zeros up to a multiple of 8
//
// Offsets are absolute, which bounds a reply to 4 GiB. Where every request was carried out and none answers with
// records, there is no reply at all.
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
  std::int32_t outcome;  ///< a negative errno for a refusal, or one of the outcomes below
  std::uint32_t recordCount;
  std::uint32_t recordsOffset;  ///< where the outcome is unknown or not sent: the errno of the cause, 0 for none
  std::uint32_t text;           ///< 0 for none
};

enum Outcome : std::int32_t {
  done = 0,
  unknown = 1,  ///< sent, but the answer was lost
  notSent = 2,
};

class ReplyWriter {
 public:
  /// Begins the reply to `count` requests. Nothing is written until there is something to tell.
  void begin(std::uint32_t count);

  void setOutcome(std::uint32_t request, std::int32_t outcome, std::string_view text = {});
  /// What was lost with its answer, or not sent, and because of which error (negative, as everywhere).
  void setLost(std::uint32_t request, Outcome outcome, int error);
  std::int32_t outcome(std::uint32_t request) const;
  std::uint32_t recordCount(std::uint32_t request) const;

  /// There will be an answer in records, even if there are none.
  void expectRecords(std::uint32_t request);
  /// A record of `size` bytes without a value, valid until the next call. Null where it would not be in a row
  /// with the request's other ones, or beyond what offsets reach.
  std::byte* addRecord(std::uint32_t request, std::size_t size);
  /// Takes back all that was said about a request.
  void forget(std::uint32_t request);

  /// Completes the reply. Its bytes are empty where there is nothing to tell.
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
