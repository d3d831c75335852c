// One send and its receives.
#pragma once

#include "netlink/transaction.h"
#include "netlink/transport.h"

namespace netlink {

struct ExchangeResult {
  enum State {
    answered,  ///< every request was carried out or refused
    notSent,   ///< the send failed, so the kernel has seen none of the requests
    lost,      ///< sent, but answers were lost: the outcome of a request without a refusal is unknown
  } state;
  int error;  ///< negative errno of the send or the receive; 0 if `answered`
};

/// Sends a group of requests and receives until its transaction is complete or nothing more can come. Setting
/// `abandon` ends a wait for an answer, which then counts as lost with ECANCELED.
ExchangeResult exchange(Transport& transport, ByteView requests, Transaction& transaction,
                        Listener& listener, const std::atomic<bool>& abandon);

}  // namespace netlink
