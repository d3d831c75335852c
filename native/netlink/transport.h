// What an exchange needs from a socket. Tests replace it with scripted answers.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>

#include "netlink/bytes.h"

namespace netlink {

/// The datagrams of one receive, valid until the next receive.
struct Datagrams {
  static constexpr std::size_t most = 8;
  std::array<ByteView, most> items;
  std::size_t count = 0;
};

class Transport {
 public:
  /// Sends a datagram to the kernel, which carries out its requests before this returns. Returns 0 or a
  /// negative errno.
  virtual int send(ByteView datagram) = 0;

  /// Receives without waiting, in one system call: one datagram, or with `many` as many as there are, up to
  /// `Datagrams::most`. Returns 0 or a negative errno: EAGAIN (nothing to receive), ENOBUFS (answers were
  /// lost), EMSGSIZE (a datagram was truncated; `datagrams` has the intact ones of the same call).
  virtual int receive(Datagrams& datagrams, bool many) = 0;

  /// Waits until there is something to receive. Returns 0 or a negative errno: ETIMEDOUT, or ECANCELED soon
  /// after `abandon` was set.
  virtual int wait(const std::atomic<bool>& abandon) = 0;

 protected:
  ~Transport() = default;
};

}  // namespace netlink
