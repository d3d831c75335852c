#include "netlink/channel.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace netlink {

namespace {

// In bytes. More than this is left in the socket until the messages are taken. If the socket is full too,
// messages are lost, which is noticed.
constexpr std::size_t mostArrivals = 256 * 1024;

class Lock {
 public:
  explicit Lock(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~Lock() { pthread_mutex_unlock(&mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

}  // namespace

Channel::~Channel() {
  stop();
  pthread_mutex_destroy(&mutex_);
}

int Channel::open(int protocol, std::span<const std::uint32_t> groups, int receiveBuffer) {
  wake_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return -errno;
  if (int error = socket_.open(protocol, Socket::DatagramSize::large, {receiveBuffer, 0})) return error;
  for (std::uint32_t group : groups) {
    if (int error = socket_.join(group)) return error;
  }
  return 0;
}

int Channel::start() {
  auto body = [](void* context) -> void* {
    static_cast<Channel*>(context)->run();
    return nullptr;
  };
  return thread_.start("ipvs-network", body, this);
}

void Channel::send(ByteView messages) {
  {
    Lock lock(mutex_);
    std::memcpy(waiting_.extend(messages.size()), messages.data(), messages.size());
  }
  wake();
}

int Channel::take(Bytes& messages) {
  Lock lock(mutex_);
  messages.clear();
  if (arrivals_.size() >= mostArrivals) wake();
  std::swap(messages, arrivals_);
  return std::exchange(error_, 0);
}

void Channel::stop() {
  if (!thread_.running()) return;
  stopping_ = true;
  wake();
  thread_.join();
}

void Channel::close() {
  stop();
  socket_.close();
  wake_.reset();
}

void Channel::wake() {
  std::uint64_t one = 1;
  // Fails only if the counter is full, and then it wakes the thread already.
  [[maybe_unused]] ssize_t written = write(wake_.number(), &one, sizeof one);
}

bool Channel::full() {
  Lock lock(mutex_);
  return arrivals_.size() >= mostArrivals;
}

void Channel::run() {
  while (!stopping_) {
    pollfd entries[] = {{wake_.number(), POLLIN, 0}, {full() ? -1 : socket_.number(), POLLIN, 0}};
    if (poll(entries, 2, -1) < 0) continue;
    if (entries[0].revents) {
      std::uint64_t count;
      [[maybe_unused]] ssize_t length = read(wake_.number(), &count, sizeof count);
      if (!stopping_) sendWaiting();
    }
    if (entries[1].revents) receive();
  }
}

void Channel::sendWaiting() {
  Bytes messages;
  {
    Lock lock(mutex_);
    std::swap(messages, waiting_);
  }
  if (messages.empty()) return;
  if (int error = socket_.send(messages.view())) fail(error);
}

// Reads until the socket is empty. Once messages have been lost, the rest is dropped: the listener starts
// over, and an unfinished dump has ended by then.
void Channel::receive() {
  bool lost = false;
  Datagrams datagrams;
  while (!stopping_ && (lost || !full())) {
    int error = socket_.receive(datagrams, true);
    if (error == -EINTR) continue;
    if (error == -EAGAIN) break;
    if (error == -ENOBUFS || error == -EMSGSIZE) {
      lost = true;
    } else if (error) {
      fail(error);
      return;
    } else if (!lost) {
      add(datagrams);
    }
  }
  if (lost) fail(-ENOBUFS);
}

void Channel::add(const Datagrams& datagrams) {
  bool first;
  {
    Lock lock(mutex_);
    first = arrivals_.empty() && error_ == 0;
    for (std::size_t i = 0; i < datagrams.count; ++i) {
      ByteView datagram = datagrams.items[i];
      std::byte* at = arrivals_.extend(alignUp(datagram.size(), NLMSG_ALIGNTO));
      std::memcpy(at, datagram.data(), datagram.size());
      std::memset(at + datagram.size(), 0, alignUp(datagram.size(), NLMSG_ALIGNTO) - datagram.size());
    }
    first = first && !arrivals_.empty();
  }
  if (first) arrived_(context_);
}

void Channel::fail(int error) {
  bool first;
  {
    Lock lock(mutex_);
    first = arrivals_.empty() && error_ == 0;
    if (error == -ENOBUFS) arrivals_.clear();
    error_ = error;
  }
  if (first) arrived_(context_);
}

}  // namespace netlink
