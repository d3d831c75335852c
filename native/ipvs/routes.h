// Chooses the transport on which a dump is requested.
//
// Large datagrams halve the time of a long dump, small ones that of a short dump, but only the kernel knows the
// length beforehand. So it is guessed: there are many services, and a service has about as many destinations
// as the service before it.
#pragma once

#include "ipvs/request.h"
#include "netlink/transport.h"

namespace ipvs {

class Routes {
 public:
  /// Two transports to the same kernel: one for requests and short dumps, one for dumps of many objects. They
  /// may be the same one, and must outlive the routes.
  Routes(netlink::Transport& requests, netlink::Transport& dumps) : requests_(requests), dumps_(dumps) {}

  netlink::Transport& requests() { return requests_; }
  netlink::Transport& dumps() { return dumps_; }

  /// Whether the answer of a dump is expected to be long.
  bool isLong(const PackedRequest& dump) const {
    if (!shortDumpsFit_) return true;
    return dump.command->answer == Answer::service ||
           (dump.command->answer == Answer::destination && !lastDumpWasShort_);
  }

  /// Notes how many records answered a dump.
  void note(Answer answer, std::uint32_t records) {
    if (answer == Answer::destination) lastDumpWasShort_ = records <= shortDump;
  }

  /// Notes that a datagram on the transport for short dumps was truncated: from now on every dump counts as
  /// long.
  void noteTruncation() { shortDumpsFit_ = false; }

 private:
  // This many destinations fill four datagrams of the transport for short dumps.
  static constexpr std::uint32_t shortDump = 40;

  netlink::Transport& requests_;
  netlink::Transport& dumps_;
  bool shortDumpsFit_ = true;
  bool lastDumpWasShort_ = false;
};

}  // namespace ipvs
