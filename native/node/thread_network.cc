#include "thread_network.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "netlink/descriptor.h"

namespace node_ipvs {

namespace {

// ICMP_FILTER and ICMPV6_FILTER: their kernel headers clash with <netinet/*>.
constexpr int icmpFilterOption = 1;
constexpr int icmp6FilterOption = 1;

/// Lets only echo replies and "destination unreachable" through. Without a filter a raw socket receives every
/// ICMP packet of the namespace.
int keepEchoReplies(int descriptor, bool v6) {
  if (!v6) {
    icmp_filter filter{~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH)};
    return setsockopt(descriptor, SOL_RAW, icmpFilterOption, &filter, sizeof filter);
  }
  // A set bit blocks a type.
  uint32_t filter[8];
  memset(filter, 0xff, sizeof filter);
  for (int type : {ICMPV6_ECHO_REPLY, ICMPV6_DEST_UNREACH}) filter[type >> 5] &= ~(1U << (type & 31));
  return setsockopt(descriptor, IPPROTO_ICMPV6, icmp6FilterOption, filter, sizeof filter);
}

/// An address of 4 or 16 bytes, with port 0.
class SocketAddress {
 public:
  explicit SocketAddress(const Napi::Uint8Array& bytes) : isV6_(bytes.ByteLength() >= 16) {
    if (isV6_) {
      v6_.sin6_family = AF_INET6;
      memcpy(&v6_.sin6_addr, bytes.Data(), 16);
    } else {
      v4_.sin_family = AF_INET;
      memcpy(&v4_.sin_addr, bytes.Data(), bytes.ByteLength() < 4 ? bytes.ByteLength() : 4);
    }
  }
  const sockaddr* get() const {
    return isV6_ ? reinterpret_cast<const sockaddr*>(&v6_) : reinterpret_cast<const sockaddr*>(&v4_);
  }
  socklen_t size() const { return isV6_ ? sizeof v6_ : sizeof v4_; }

 private:
  bool isV6_;
  sockaddr_in v4_{};
  sockaddr_in6 v6_{};
};

int bindTo(int descriptor, const Napi::Uint8Array& bytes) {
  SocketAddress address(bytes);
  return bind(descriptor, address.get(), address.size());
}

}  // namespace

Napi::Value enterNamespace(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (syscall(SYS_gettid) == getpid()) {
    Napi::Error::New(env, "The main thread never changes its network namespace: "
                          "enterNamespace is for worker threads")
        .ThrowAsJavaScriptException();
    return {};
  }
  int number = info[0].As<Napi::Number>().Int32Value();
  return Napi::Number::New(env, setns(number, CLONE_NEWNET) == 0 ? 0 : -errno);
}

Napi::Value openSocket(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  bool v6 = info[0].As<Napi::Number>().Int32Value() == 6;
  std::string kind = info[1].As<Napi::String>();
  int protocol = info[2].As<Napi::Number>().Int32Value();
  uint32_t mark = info[3].As<Napi::Number>().Uint32Value();
  std::string device = info[4].As<Napi::String>();
  int type = kind == "raw" ? SOCK_RAW : kind == "datagram" ? SOCK_DGRAM : SOCK_STREAM;
  netlink::Descriptor opened(socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  auto local = info[5].IsTypedArray() ? info[5].As<Napi::Uint8Array>() : Napi::Uint8Array();
  bool failed = !opened || (!local.IsEmpty() && bindTo(opened.number(), local) != 0) ||
                (mark != 0 && setsockopt(opened.number(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) ||
                (!device.empty() && setsockopt(opened.number(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                                               static_cast<socklen_t>(device.size() + 1)) != 0) ||
                (type == SOCK_RAW && keepEchoReplies(opened.number(), v6) != 0);
  return Napi::Number::New(env, failed ? -errno : opened.release());
}

Napi::Value sendTo(const Napi::CallbackInfo& info) {
  int descriptor = info[0].As<Napi::Number>().Int32Value();
  SocketAddress to(info[1].As<Napi::Uint8Array>());
  auto bytes = info[2].As<Napi::Uint8Array>();
  ssize_t sent = sendto(descriptor, bytes.Data(), bytes.ByteLength(), MSG_DONTWAIT, to.get(), to.size());
  return Napi::Number::New(info.Env(), sent < 0 ? -errno : static_cast<int>(sent));
}

Napi::Value receiveFrom(const Napi::CallbackInfo& info) {
  int descriptor = info[0].As<Napi::Number>().Int32Value();
  auto bytes = info[1].As<Napi::Uint8Array>();
  ssize_t got = recv(descriptor, bytes.Data(), bytes.ByteLength(), MSG_DONTWAIT);
  return Napi::Number::New(info.Env(), got < 0 ? -errno : static_cast<int>(got));
}

void closeDescriptor(const Napi::CallbackInfo& info) { close(info[0].As<Napi::Number>().Int32Value()); }

}  // namespace node_ipvs
