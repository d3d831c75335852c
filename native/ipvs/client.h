// A conversation with IPVS: it knows the family's number and executes batches of packed requests.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "ipvs/reply.h"
#include "ipvs/request.h"
#include "netlink/exchange.h"

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

/// The step at which an open failed.
enum class OpenStep { family, permission };

struct OpenFailure {
  OpenStep step;
  int error;
  std::string text;
};

class Client {
 public:
  /// Two transports to the same kernel: one for requests and short dumps, one for dumps of many objects. They
  /// may be the same one, and must outlive the client.
  Client(netlink::Transport& requests, netlink::Transport& dumps, Limits limits)
      : transport_(requests), dumps_(dumps), limits_(limits) {}

  /// Resolves the family, which makes Linux 5.16 and later load the module. Then asks for its version, which
  /// fails at once if CAP_NET_ADMIN is missing. Returns false with the reason in `failure`. Setting `abandon`
  /// ends a wait for an answer.
  bool open(OpenFailure& failure, const std::atomic<bool>& abandon);

  /// Executes `count` packed requests in order, in as few sends as the limits allow, and completes the reply.
  /// The reply is empty if every request was carried out and none answers with records. `abandon` is checked
  /// between sends; once it is set, the remaining requests are not sent.
  ///
  /// A malformed request is refused with EBADMSG, and the requests after it are not sent.
  ///
  /// `batch` identifies the batch that the requests are part of; 0 if they are not. After a part in which an
  /// answer was lost or a request not sent, later parts of the same batch are not sent, because they may
  /// depend on it.
  void execute(netlink::ByteView requests, std::uint32_t count, ReplyWriter& reply,
               const std::atomic<bool>& abandon, std::uint32_t batch = 0);

  const Limits& limits() const { return limits_; }

 private:
  struct Group;
  friend class AnswerListener;

  bool encodeGroup(RequestReader& reader, Group& group, std::size_t mostRequests, std::size_t mostBytes);
  bool isLong(const PackedRequest& dump) const;
  bool familyMoved(const std::atomic<bool>& abandon);
  int lossOf(std::uint32_t batch) const;
  void noteLoss(std::uint32_t batch, int error);
  bool executeSeries(RequestReader& reader, ReplyWriter& reply);

  netlink::Transport& transport_;
  netlink::Transport& dumps_;
  Limits limits_;
  std::uint16_t family_ = 0;
  std::uint32_t sequence_ = 1;
  bool shortDumpsFit_ = true;      ///< false once a datagram on the first transport was truncated
  bool lastDumpWasShort_ = false;  ///< whether the last service had few destinations, the guess for the next
  bool series_ = true;             ///< false if the transport has no series
  unsigned dumpsUntilSeries_ = 0;  ///< dumps to request one at a time before the next series
  struct Loss {
    std::uint32_t batch;
    int error;
  };
  std::vector<Loss> losses_;  ///< the latest batches with lost answers
  netlink::Bytes message_;
  std::vector<Answer> answers_;
};

}  // namespace ipvs
