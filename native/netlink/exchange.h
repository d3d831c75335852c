// One send and the receives that belong to it.
#pragma once

#include "netlink/transaction.h"
#include "netlink/transport.h"

namespace netlink {

struct ExchangeResult {
  enum State {
    answered,  ///< every request was carried out or refused
    notSent,   ///< the send failed: the kernel has seen none of them
    lost,      ///< sent, but not every answer arrived: what is without a refusal is unknown
  } state;
  int error;  ///< of the send or the receive, a negative errno; 0 where answered
};

/// Sends a group of requests and receives until its transaction is complete, or nothing more can come. An
/// answer that is waited for is given up as lost, with ECANCELED, when `abandon` is set.
ExchangeResult exchange(Transport& transport, ByteView requests, Transaction& transaction,
                        Listener& listener, const std::atomic<bool>& abandon);

}  // namespace netlink
