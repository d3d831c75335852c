// A netlink socket with a thread of its own, for requests that must not block the caller: some wait in the
// kernel until another program has finished changing the network. The thread sends the messages that it is
// given, and collects all that the kernel sends, both answers and multicast messages.
#pragma once

#include <pthread.h>

#include <atomic>
#include <span>

#include "netlink/socket.h"
#include "netlink/thread.h"

namespace netlink {

class Channel {
 public:
  /// Calls `arrived` on the channel's thread when there is something to take, after there was nothing.
  Channel(void (*arrived)(void*), void* context) : arrived_(arrived), context_(context) {}
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Opens the socket in the calling thread's network namespace, and joins multicast groups. `receiveBuffer`
  /// is in bytes; 0 means the system's default. Returns 0 or a negative errno.
  int open(int protocol, std::span<const std::uint32_t> groups, int receiveBuffer);

  /// Starts the thread. Returns 0 or a negative errno.
  int start();

  /// Sends messages. What was not sent yet travels in the same datagram.
  void send(ByteView messages);

  /// Moves all messages that have arrived into `messages`, one after another. Returns 0, or a negative errno
  /// if an error occurred before they arrived: -ENOBUFS if messages were lost (the rest is dropped then, so
  /// that the socket has room again), otherwise the error of a send or receive.
  int take(Bytes& messages);

  /// Ends the thread. If it is within a send, waits until the kernel has carried that out.
  void stop();

  /// Ends the thread and closes the socket.
  void close();

 private:
  void run();
  void sendWaiting();
  void receive();
  void add(const Datagrams& datagrams);
  void fail(int error);
  bool full();
  void wake();

  void (*arrived_)(void*);
  void* context_;
  Socket socket_;
  Descriptor wake_;
  Thread thread_;
  std::atomic<bool> stopping_ = false;

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Bytes waiting_;  ///< to be sent
  Bytes arrivals_;
  int error_ = 0;
};

}  // namespace netlink
