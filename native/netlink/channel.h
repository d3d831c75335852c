// A netlink socket with a thread of its own, for conversations that nobody may wait for: the thread sends what
// it is given and collects what the kernel says, answers and multicast alike. (Some requests wait in the
// kernel until another program has finished changing the network.)
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

  /// Moves all messages that have arrived into `messages`, one behind the other. Returns 0, or a negative errno
  /// if something went wrong before they arrived: -ENOBUFS if messages were lost (everything that was
  /// there is dropped then, so that the socket has room again), otherwise what a send or receive failed with.
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
