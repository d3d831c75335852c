// A conversation with IPVS: the family's number, and the one verb, to execute a batch of packed requests.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "ipvs/reply.h"
#include "ipvs/request.h"
#include "netlink/exchange.h"

namespace ipvs {

/// What bounds one send.
struct Limits {
  std::size_t sendBuffer;     ///< SO_SNDBUF as the kernel reports it
  std::size_t receiveBuffer;  ///< SO_RCVBUF likewise

  /// How many requests fit one send so that the answers fit the receive buffer even if every one is refused.
  std::size_t requestsPerSend() const;
  /// How many bytes one send takes.
  std::size_t bytesPerSend() const;
};

/// What an open that failed was at.
enum class OpenStep { family, permission };

struct OpenFailure {
  OpenStep step;
  int error;
  std::string text;
};

class Client {
 public:
  /// Two conversations with the same kernel: one for requests and short dumps, one for dumps of many objects.
  /// They may be the same, and have to outlive the client.
  Client(netlink::Transport& requests, netlink::Transport& dumps, Limits limits)
      : transport_(requests), dumps_(dumps), limits_(limits) {}

  /// Resolves the family (which makes Linux 5.16 and later load the module) and asks it for its version, so
  /// that a missing CAP_NET_ADMIN is known at once. False with the reason.
  /// An answer that is waited for is given up when `abandon` is set.
  bool open(OpenFailure& failure, const std::atomic<bool>& abandon);

  /// Executes `count` packed requests in order, in as few sends as the limits allow. The reply is complete
  /// afterwards; it is empty where every request was carried out and none answers with records. `abandon` is
  /// looked at between sends: what is left then is not sent.
  ///
  /// A request that is not well-formed is refused with EBADMSG, what comes after it is not sent.
  ///
  /// `batch` is the same for the parts of a batch, 0 for what is none: after a part of which anything was lost
  /// or not sent, nothing of the later ones is sent, since it may depend on that.
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
  bool shortDumpsFit_ = true;      ///< false once a datagram on the first transport was cut
  bool lastDumpWasShort_ = false;  ///< of a service's destinations; how the next one is guessed
  bool series_ = true;             ///< false where the transport has no series
  unsigned dumpsUntilSeries_ = 0;  ///< dumps that are asked for by themselves first
  struct Loss {
    std::uint32_t batch;
    int error;
  };
  std::vector<Loss> losses_;  ///< batches of which anything was lost, the last ones
  netlink::Bytes message_;
  std::vector<Answer> answers_;
};

}  // namespace ipvs
