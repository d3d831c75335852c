#include "netlink/exchange.h"

#include <cerrno>

namespace netlink {

ExchangeResult exchange(Transport& transport, ByteView requests, Transaction& transaction,
                        Listener& listener, const std::atomic<bool>& abandon) {
  if (int error = transport.send(requests)) return {ExchangeResult::notSent, error};
  // A single request has a single answer, so the cheaper system call is enough.
  bool many = transaction.count() > 1 || transaction.ending() == Ending::dump;
  int lost = 0;
  Datagrams datagrams;
  while (!transaction.complete()) {
    int error = transport.receive(datagrams, many);
    many = true;
    if (error == 0 || error == -EMSGSIZE) {
      for (std::size_t i = 0; i < datagrams.count; ++i) {
        if (!transaction.take(datagrams.items[i], listener) && !lost) lost = -EBADMSG;
      }
    }
    if (error == 0 || error == -EINTR) continue;
    if (error == -EAGAIN) {
      // The kernel answers before the send returns. An empty socket therefore means that nothing more will
      // come, unless a future kernel answers later.
      if (lost) break;
      // The kernel does not answer a request that fails with EINTR, even if an acknowledgement was requested
      // (netlink_rcv_skb). IPVS does this when it stops a sync daemon whose thread has not started to run:
      // kthread_stop() returns EINTR, but the daemon is stopped.
      if (transaction.ending() == Ending::acknowledgement) break;
      if (int waited = transport.wait(abandon)) lost = waited;
      continue;
    }
    bool overrun = error == -ENOBUFS || error == -EMSGSIZE;
    if (!lost || overrun) lost = error;
    // Keep reading after answers were lost: the remaining refusals are useful, and an unfinished dump would
    // block the next one.
    if (!overrun) break;
  }
  return {lost ? ExchangeResult::lost : ExchangeResult::answered, lost};
}

}  // namespace netlink
