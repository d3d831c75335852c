// An AF_NETLINK socket, made in the network namespace of the thread that opens it and bound to it for life.
#pragma once

#include <sys/socket.h>
#include <linux/netlink.h>

#include "netlink/descriptor.h"
#include "netlink/transport.h"

namespace netlink {

class Socket final : public Transport {
 public:
  /// The kernel cuts the replies of a dump to the largest buffer the socket has received into, and to just under this.
  static constexpr std::size_t datagramLength = 32 * 1024;

  /// Sizes in bytes; the kernel doubles what it is given for its own bookkeeping.
  struct BufferSizes {
    int receive;
    int send;
  };

  /// Opens a socket for a netlink protocol, asks for extended acknowledgements, and sizes its buffers: beyond the system's limits with
  /// CAP_NET_ADMIN, otherwise as far as they go. 0 or a negative errno.
  int open(int protocol, BufferSizes sizes);
  void close() { descriptor_.reset(); }

  /// The sizes as the kernel reports them.
  BufferSizes bufferSizes() const { return sizes_; }

  int send(ByteView datagram) override;
  int receive(Datagrams& datagrams, bool many) override;
  int wait() override;

 private:
  int receiveOne(Datagrams& datagrams);
  int receiveMany(Datagrams& datagrams);

  Descriptor descriptor_;
  BufferSizes sizes_{};
  Bytes storage_;
};

}  // namespace netlink
