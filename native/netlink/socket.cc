#include "netlink/socket.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace netlink {

namespace {

// In milliseconds. Long enough for a kernel that is busy with something else.
constexpr int longestWait = 10'000;
// In milliseconds: how often a wait checks whether it has been abandoned. Answers are there when the send
// returns, so waits are rare and do not justify a descriptor to wake them.
constexpr int lookEvery = 20;

// NLMSG_GOODSIZE, the smallest datagram the kernel uses for a dump: a page less struct skb_shared_info. If
// pages are larger or the struct has another size, datagrams are truncated; that is detected, so a wrong
// value here never goes unnoticed.
constexpr std::size_t smallDatagram = 4096 - 320;
constexpr std::size_t largeDatagram = 32 * 1024;

int setBuffer(int descriptor, int forced, int plain, int size) {
  if (size == 0) return 0;
  if (setsockopt(descriptor, SOL_SOCKET, forced, &size, sizeof size) == 0) return 0;
  return setsockopt(descriptor, SOL_SOCKET, plain, &size, sizeof size) == 0 ? 0 : -errno;
}

int bufferSize(int descriptor, int option) {
  int size = 0;
  socklen_t length = sizeof size;
  getsockopt(descriptor, SOL_SOCKET, option, &size, &length);
  return size;
}

}  // namespace

int Socket::open(int protocol, DatagramSize datagrams, BufferSizes sizes) {
  Descriptor descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!descriptor) return -errno;
  int number = descriptor.number();
  // Kernels without these options (they came with 4.3 and 4.12) send longer answers with fewer details, which
  // the transaction can read too.
  int on = 1;
  setsockopt(number, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(number, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  if (int error = setBuffer(number, SO_RCVBUFFORCE, SO_RCVBUF, sizes.receive)) return error;
  if (int error = setBuffer(number, SO_SNDBUFFORCE, SO_SNDBUF, sizes.send)) return error;
  sizes_ = {bufferSize(number, SO_RCVBUF), bufferSize(number, SO_SNDBUF)};
  descriptor_ = std::move(descriptor);
  datagramLength_ = datagrams == DatagramSize::small ? smallDatagram : largeDatagram;
  return 0;
}

int Socket::send(ByteView datagram) {
  while (::send(descriptor_.number(), datagram.data(), datagram.size(), 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

int Socket::receive(Datagrams& datagrams, bool many) {
  storage_.reserve(Datagrams::most * datagramLength_);
  datagrams.count = 0;
  return many ? receiveMany(datagrams) : receiveOne(datagrams);
}

int Socket::receiveOne(Datagrams& datagrams) {
  sockaddr_nl sender{};
  socklen_t senderLength = sizeof sender;
  // MSG_TRUNC returns the datagram's full length, which reveals truncation.
  ssize_t length = recvfrom(descriptor_.number(), storage_.data(), datagramLength_, MSG_DONTWAIT | MSG_TRUNC,
                            reinterpret_cast<sockaddr*>(&sender), &senderLength);
  if (length < 0) return -errno;
  if (static_cast<std::size_t>(length) > datagramLength_) return -EMSGSIZE;
  // Port 0 is the kernel. Datagrams from other processes are ignored.
  if (sender.nl_pid == 0)
    datagrams.items[datagrams.count++] = {storage_.data(), static_cast<std::size_t>(length)};
  return 0;
}

int Socket::receiveMany(Datagrams& datagrams) {
  mmsghdr headers[Datagrams::most]{};
  iovec vectors[Datagrams::most];
  sockaddr_nl senders[Datagrams::most];
  for (std::size_t i = 0; i < Datagrams::most; ++i) {
    vectors[i] = {storage_.data() + i * datagramLength_, datagramLength_};
    headers[i].msg_hdr.msg_name = &senders[i];
    headers[i].msg_hdr.msg_namelen = sizeof senders[i];
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  int count = recvmmsg(descriptor_.number(), headers, Datagrams::most, MSG_DONTWAIT, nullptr);
  if (count < 0) return -errno;
  bool cut = false;
  for (int i = 0; i < count; ++i) {
    if (senders[i].nl_pid != 0) continue;
    if (headers[i].msg_hdr.msg_flags & MSG_TRUNC) {
      cut = true;
      continue;
    }
    datagrams.items[datagrams.count++] = {storage_.data() + static_cast<std::size_t>(i) * datagramLength_,
                                          headers[i].msg_len};
  }
  return cut ? -EMSGSIZE : 0;
}

int Socket::wait(const std::atomic<bool>& abandon) {
  pollfd entry{descriptor_.number(), POLLIN, 0};
  for (int waited = 0; waited < longestWait; waited += lookEvery) {
    if (abandon.load(std::memory_order_relaxed)) return -ECANCELED;
    int ready = poll(&entry, 1, lookEvery);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready > 0) return 0;
  }
  return -ETIMEDOUT;
}

}  // namespace netlink
