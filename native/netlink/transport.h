// What an exchange needs of a socket. The tests put scripted answers in its place.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>

#include "netlink/bytes.h"

namespace netlink {

/// Datagrams of one receive, valid until the next one.
struct Datagrams {
  static constexpr std::size_t most = 8;
  std::array<ByteView, most> items;
  std::size_t count = 0;
};

/// What a short dump is answered with.
struct ShortAnswer {
  ByteView objects;
  ByteView end;  ///< empty where there was no second datagram
};

class Transport {
 public:
  /// Most dumps of a series.
  static constexpr std::size_t mostInSeries = 32;

  /// Sends a datagram to the kernel, which carries out its requests before this returns. 0 or a negative
  /// errno.
  virtual int send(ByteView datagram) = 0;

  /// Receives without waiting: one datagram, or as many as there are (at most `Datagrams::most`) where `many`
  /// is set; both are one system call. 0, or a negative errno: EAGAIN (nothing there), ENOBUFS (answers were
  /// lost), EMSGSIZE (a datagram was cut short: those of the same call that are whole are in `datagrams`).
  virtual int receive(Datagrams& datagrams, bool many) = 0;

  /// Waits until there is something to receive. 0, or a negative errno: ETIMEDOUT, or ECANCELED soon after
  /// `abandon` was set.
  virtual int wait(const std::atomic<bool>& abandon) = 0;

  /// Asks for dumps whose answers are two datagrams at most, each when the one before it was answered, all in one
  /// system call. Returns how many seem to be answered; where these are not all, something else came, and the
  /// rest of it has to be received before the next request. A negative errno where this is not possible here:
  /// nothing was sent. The answers are valid until the next receive.
  virtual int dumpSeries(std::span<const ByteView> requests, ShortAnswer* answers) {
    static_cast<void>(requests);
    static_cast<void>(answers);
    return -EOPNOTSUPP;
  }

 protected:
  ~Transport() = default;
};

}  // namespace netlink
