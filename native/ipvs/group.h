// Requests that travel in one send.
#pragma once

#include <vector>

#include "ipvs/request.h"
#include "ipvs/routes.h"
#include "netlink/transaction.h"

namespace ipvs {

/// The bounds of one send.
struct Limits {
  std::size_t sendBuffer;     ///< SO_SNDBUF as the kernel reports it
  std::size_t receiveBuffer;  ///< SO_RCVBUF as the kernel reports it

  /// The most requests in one send whose answers fit the receive buffer even if all are refused.
  std::size_t requestsPerSend() const;
  /// The most bytes in one send.
  std::size_t bytesPerSend() const;
};

struct Group {
  std::uint32_t first;  ///< index of the first request in the batch
  std::uint32_t count;
  std::uint32_t firstSequence;
  netlink::Ending ending;
  bool longDump;  ///< a single dump, on the transport for long dumps
};

/// Encodes requests, group by group.
class GroupEncoder {
 public:
  explicit GroupEncoder(Limits limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }

  /// Allows groups as large as the limits. Called at the begin of each batch.
  void begin();

  /// Encodes the next group: as many requests as the limits allow, up to and including the first dump. Numbers
  /// its messages from `sequence` on. Returns false at a malformed request.
  bool encode(RequestReader& reader, const Routes& routes, std::uint16_t family, std::uint32_t sequence);

  /// Halves the following groups, for a kernel that did not take this one. Returns false if it has only one
  /// request.
  bool halve();

  /// The group that was encoded last: what it is, its message, and what answers each of its requests.
  const Group& group() const { return group_; }
  netlink::ByteView message() { return message_.view(); }
  const std::vector<Answer>& answers() const { return answers_; }

 private:
  Limits limits_;
  std::size_t mostRequests_ = 0;
  std::size_t mostBytes_ = 0;
  Group group_{};
  netlink::Bytes message_;
  std::vector<Answer> answers_;
};

}  // namespace ipvs
