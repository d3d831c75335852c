// A conversation with IPVS: it knows the family's number and executes batches of packed requests.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "ipvs/group.h"
#include "ipvs/reply.h"
#include "ipvs/routes.h"
#include "netlink/exchange.h"

namespace ipvs {

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
      : routes_(requests, dumps), groups_(limits) {}

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

  const Limits& limits() const { return groups_.limits(); }

 private:
  /// What became of an attempt to send a group. After the last two the rest of the batch is not sent.
  enum class Attempt {
    answered,  ///< the group has its outcomes
    repeat,    ///< the group must be encoded and sent again
    notSent,   ///< the kernel has seen nothing of it
    lost,      ///< an answer was lost, and later requests may depend on the one with unknown outcome
  };

  Attempt sendGroup(ReplyWriter& reply, const std::atomic<bool>& abandon, int& lost);
  bool familyMoved(const std::atomic<bool>& abandon);
  int lossOf(std::uint32_t batch) const;
  void noteLoss(std::uint32_t batch, int error);

  Routes routes_;
  GroupEncoder groups_;
  std::uint16_t family_ = 0;
  std::uint32_t sequence_ = 1;
  struct Loss {
    std::uint32_t batch;
    int error;
  };
  std::vector<Loss> losses_;  ///< the latest batches with lost answers
};

}  // namespace ipvs
