// What the kernel answers to a group of requests that travelled in one send, as a state machine without a
// socket.
//
//   send:     request 1 · request 2 · … · request n (the only one to ask for an acknowledgement)
//   answers:  refusals of any of them, in order, matched by sequence number · data messages · the last one's
//   answer
//
// A request without a refusal has been carried out once the last one is answered, because the kernel works
// through a send in order.
#pragma once

#include <cstdint>
#include <string_view>

#include "netlink/message.h"

namespace netlink {

/// How the last request of a group shows that it is answered.
enum class Ending {
  acknowledgement,  ///< an acknowledgement or a refusal
  message,          ///< one data message, or a refusal
  dump,             ///< data messages up to NLMSG_DONE, or a refusal
};

/// Takes what a transaction finds. Requests are numbered from 0 in the order of the send.
class Listener {
 public:
  /// The kernel refused a request: `error` is a negative errno, `text` its own words (extended
  /// acknowledgement), mostly empty.
  virtual void refused(std::uint32_t request, int error, std::string_view text) = 0;
  /// A data message that answers a request.
  virtual void received(std::uint32_t request, const Message& message) = 0;

 protected:
  ~Listener() = default;
};

class Transaction {
 public:
  Transaction(std::uint32_t firstSequence, std::uint32_t count, Ending ending)
      : first_(firstSequence), count_(count), ending_(ending) {}

  /// Takes one datagram from the kernel. Messages with sequence numbers of other transactions are passed
  /// over. Returns false if the bytes are not netlink messages: nothing more can be said about the requests
  /// then.
  bool take(ByteView datagram, Listener& listener);

  /// Whether the last request has been answered, and with it all of them.
  bool complete() const { return complete_; }

  std::uint32_t count() const { return count_; }
  Ending ending() const { return ending_; }

  /// How many requests were refused with ENOENT; where it is all of them, the family may have another number
  /// by now.
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
