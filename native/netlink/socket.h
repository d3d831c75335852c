// An AF_NETLINK socket. It stays in the network namespace of the thread that opened it.
#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include "netlink/descriptor.h"
#include "netlink/transport.h"

namespace netlink {

class Socket final : public Transport {
 public:
  /// The size of a dump's datagrams. The kernel makes them as long as the longest receive that the socket has
  /// ever offered, within its own bounds. It allocates that much memory for each datagram, and clears it if
  /// hardened.
  enum class DatagramSize {
    small,  ///< a page including the kernel's bookkeeping: for many dumps of a few objects
    large,  ///< 32 KiB: for dumps of many objects
  };

  /// Sizes in bytes; 0 means the system's default. The kernel doubles them to make room for its bookkeeping.
  struct BufferSizes {
    int receive;
    int send;
  };

  /// Opens a socket for a netlink protocol, requests extended acknowledgements and sizes its buffers. With
  /// CAP_NET_ADMIN the buffers may exceed the system's limits, without it they are capped. Returns 0 or a
  /// negative errno.
  int open(int protocol, DatagramSize datagrams, BufferSizes sizes);
  void close() { descriptor_.reset(); }

  /// The sizes as the kernel reports them.
  BufferSizes bufferSizes() const { return sizes_; }

  int send(ByteView datagram) override;
  int receive(Datagrams& datagrams, bool many) override;
  int wait(const std::atomic<bool>& abandon) override;

 private:
  int receiveOne(Datagrams& datagrams);
  int receiveMany(Datagrams& datagrams);

  Descriptor descriptor_;
  BufferSizes sizes_{};
  std::size_t datagramLength_ = 0;
  Bytes storage_;
};

}  // namespace netlink
