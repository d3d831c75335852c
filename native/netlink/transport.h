// What an exchange needs of a socket. The tests put scripted answers in its place.
#pragma once

#include <array>

#include "netlink/bytes.h"

namespace netlink {

/// Datagrams of one receive, valid until the next one.
struct Datagrams {
  static constexpr std::size_t most = 8;
  std::array<ByteView, most> items;
  std::size_t count = 0;
};

class Transport {
 public:
  /// Sends a datagram to the kernel, which carries out its requests before this returns. 0 or a negative
  /// errno.
  virtual int send(ByteView datagram) = 0;

  /// Receives without waiting: one datagram, or as many as there are (at most `Datagrams::most`) where `many`
  /// is set; both are one system call. 0, or a negative errno: EAGAIN (nothing there), ENOBUFS (answers were
  /// lost), EMSGSIZE (a datagram was cut short).
  virtual int receive(Datagrams& datagrams, bool many) = 0;

  /// Waits until there is something to receive. 0, or a negative errno: ETIMEDOUT.
  virtual int wait() = 0;

 protected:
  ~Transport() = default;
};

}  // namespace netlink
