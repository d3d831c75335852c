#include "netlink/exchange.h"

#include <cerrno>

namespace netlink {

ExchangeResult exchange(Transport& transport, ByteView requests, Transaction& transaction,
                        Listener& listener, const std::atomic<bool>& abandon) {
  if (int error = transport.send(requests)) return {ExchangeResult::notSent, error};
  // One request has one answer, for which the cheaper system call does.
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
      // The kernel answers within the send, so nothing to receive means that there will be nothing, unless it
      // comes to answer later one day.
      if (lost) break;
      // It does not answer a request that ends with EINTR, acknowledgement asked for or not
      // (netlink_rcv_skb). In IPVS that is the stop of a sync daemon whose thread has not begun to run:
      // kthread_stop() says EINTR then, and the daemon is stopped.
      if (transaction.ending() == Ending::acknowledgement) break;
      if (int waited = transport.wait(abandon)) lost = waited;
      continue;
    }
    bool overrun = error == -ENOBUFS || error == -EMSGSIZE;
    if (!lost || overrun) lost = error;
    // After lost answers the rest is still read: refusals are worth having, and a dump that is not read to
    // its end blocks the next one.
    if (!overrun) break;
  }
  return {lost ? ExchangeResult::lost : ExchangeResult::answered, lost};
}

}  // namespace netlink
