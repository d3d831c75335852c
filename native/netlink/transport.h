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

/// The answer to a short dump.
struct ShortAnswer {
  ByteView objects;
  ByteView end;  ///< empty if there was no second datagram
};

class Transport {
 public:
  /// The most dumps in a series.
  static constexpr std::size_t mostInSeries = 32;

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

  /// Requests dumps whose answers fit two datagrams each, one after the other, all in one system call.
  /// Returns how many appear to be answered. If that is fewer than requested, an answer had another shape,
  /// and the caller must receive what is left of it before the next request. Returns a negative errno, with
  /// nothing sent, if the transport cannot do this. The answers are valid until the next receive.
  virtual int dumpSeries(std::span<const ByteView> requests, ShortAnswer* answers) {
    static_cast<void>(requests);
    static_cast<void>(answers);
    return -EOPNOTSUPP;
  }

 protected:
  ~Transport() = default;
};

}  // namespace netlink
