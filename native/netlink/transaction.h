// Reads the kernel's answers to a group of requests that travelled in one send. A state machine without a
// socket.
//
// clang-format off
//   send:     request 1 · request 2 · … · request n (the only one that asks for an acknowledgement)
//   answers:  refusals of any request, in order · data messages · the answer to the last request
// clang-format on
//
// Answers are matched to requests by sequence number. The kernel works through a send in order, so once the
// last request is answered, every request without a refusal has been carried out.
#pragma once

#include <cstdint>
#include <string_view>

#include "netlink/message.h"

namespace netlink {

/// What answers the last request of a group.
enum class Ending {
  acknowledgement,  ///< an acknowledgement or a refusal
  message,          ///< one data message or a refusal
  dump,             ///< data messages up to NLMSG_DONE, or a refusal
};

/// Receives a transaction's findings. Requests are numbered from 0 in the order of the send.
class Listener {
 public:
  /// The kernel refused a request. `error` is a negative errno; `text` is the kernel's message from the
  /// extended acknowledgement, often empty.
  virtual void refused(std::uint32_t request, int error, std::string_view text) = 0;
  /// A data message arrived that answers a request.
  virtual void received(std::uint32_t request, const Message& message) = 0;

 protected:
  ~Listener() = default;
};

class Transaction {
 public:
  Transaction(std::uint32_t firstSequence, std::uint32_t count, Ending ending)
      : first_(firstSequence), count_(count), ending_(ending) {}

  /// Reads one datagram from the kernel. Messages with other transactions' sequence numbers are ignored.
  /// Returns false if the bytes are not netlink messages; the outcome of the requests is unknown then.
  bool take(ByteView datagram, Listener& listener);

  /// Whether the last request, and with it every request, has been answered.
  bool complete() const { return complete_; }

  std::uint32_t count() const { return count_; }
  Ending ending() const { return ending_; }

  /// How many requests were refused with ENOENT. If all were, the family's number may have changed.
  std::uint32_t notFound() const { return notFound_; }

 private:
  void takeMessage(const Message& message, Listener& listener);

  std::uint32_t first_;
  std::uint32_t count_;
  Ending ending_;
  std::uint32_t notFound_ = 0;
  bool complete_ = false;
  bool malformed_ = false;
};

}  // namespace netlink
