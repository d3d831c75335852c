// An AF_NETLINK socket, made in the network namespace of the thread that opens it and bound to it for life.
#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include "netlink/descriptor.h"
#include "netlink/ring.h"
#include "netlink/transport.h"

namespace netlink {

class Socket final : public Transport {
 public:
  /// How long the datagrams of a dump get: the kernel makes them as long as the longest that the socket has
  /// ever offered to receive, within its own bounds, and takes (and, hardened, clears) that much memory for
  /// each.
  enum class DatagramSize {
    small,  ///< a page with the kernel's bookkeeping: for many dumps of a few objects
    large,  ///< 32 KiB: for dumps of many objects
  };

  /// Sizes in bytes, 0 for the system's default; the kernel doubles what it is given for its own bookkeeping.
  struct BufferSizes {
    int receive;
    int send;
  };

  /// Opens a socket for a netlink protocol, asks for extended acknowledgements, and sizes its buffers: beyond
  /// the system's limits with CAP_NET_ADMIN, otherwise as far as they go. 0 or a negative errno.
  int open(int protocol, DatagramSize datagrams, BufferSizes sizes);
  void close() { descriptor_.reset(); }

  /// The sizes as the kernel reports them.
  BufferSizes bufferSizes() const { return sizes_; }

  int send(ByteView datagram) override;
  int receive(Datagrams& datagrams, bool many) override;
  int wait(const std::atomic<bool>& abandon) override;
  int dumpSeries(std::span<const ByteView> requests, ShortAnswer* answers) override;

 private:
  int receiveOne(Datagrams& datagrams);
  int receiveMany(Datagrams& datagrams);

  Descriptor descriptor_;
  BufferSizes sizes_{};
  std::size_t datagramLength_ = 0;
  Bytes storage_;
  std::unique_ptr<Ring> ring_;  ///< made for the first series
  bool ringless_ = false;       ///< the system has none
};

}  // namespace netlink
