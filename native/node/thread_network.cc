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

// In <linux/icmp.h>'s raw socket options, which clash with <netinet/*>.
constexpr int icmpFilterOption = 1;
constexpr int icmp6FilterOption = 1;

/// A raw socket gets every ICMP packet of the namespace: only answers to echo requests are let through, and
/// what says that a host cannot be reached.
int keepEchoReplies(int descriptor, bool v6) {
  if (!v6) {
    icmp_filter filter{~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH)};
    return setsockopt(descriptor, SOL_RAW, icmpFilterOption, &filter, sizeof filter);
  }
  // A bit that is set keeps a type out.
  uint32_t filter[8];
  memset(filter, 0xff, sizeof filter);
  for (int type : {ICMPV6_ECHO_REPLY, ICMPV6_DEST_UNREACH}) filter[type >> 5] &= ~(1U << (type & 31));
  return setsockopt(descriptor, IPPROTO_ICMPV6, icmp6FilterOption, filter, sizeof filter);
}

}  // namespace

Napi::Value enterNamespace(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (syscall(SYS_gettid) == getpid()) {
    Napi::Error::New(env, "The main thread never changes its network namespace: enterNamespace is for worker threads")
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
  bool failed = !opened ||
                (mark != 0 && setsockopt(opened.number(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) ||
                (!device.empty() && setsockopt(opened.number(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                                               static_cast<socklen_t>(device.size() + 1)) != 0) ||
                (type == SOCK_RAW && keepEchoReplies(opened.number(), v6) != 0);
  return Napi::Number::New(env, failed ? -errno : opened.release());
}

Napi::Value sendTo(const Napi::CallbackInfo& info) {
  int descriptor = info[0].As<Napi::Number>().Int32Value();
  auto address = info[1].As<Napi::Uint8Array>();
  auto bytes = info[2].As<Napi::Uint8Array>();
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  size_t length = address.ByteLength();
  bool isV6 = length >= 16;
  if (isV6) {
    v6.sin6_family = AF_INET6;
    memcpy(&v6.sin6_addr, address.Data(), 16);
    if (length >= 20) memcpy(&v6.sin6_scope_id, address.Data() + 16, 4);
  } else {
    v4.sin_family = AF_INET;
    memcpy(&v4.sin_addr, address.Data(), length < 4 ? length : 4);
  }
  auto to = isV6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = isV6 ? sizeof v6 : sizeof v4;
  ssize_t sent = sendto(descriptor, bytes.Data(), bytes.ByteLength(), MSG_DONTWAIT | MSG_NOSIGNAL, to, size);
  return Napi::Number::New(info.Env(), sent < 0 ? -errno : static_cast<int>(sent));
}

Napi::Value receiveFrom(const Napi::CallbackInfo& info) {
  int descriptor = info[0].As<Napi::Number>().Int32Value();
  auto bytes = info[1].As<Napi::Uint8Array>();
  ssize_t got = recv(descriptor, bytes.Data(), bytes.ByteLength(), MSG_DONTWAIT);
  return Napi::Number::New(info.Env(), got < 0 ? -errno : static_cast<int>(got));
}

}  // namespace node_ipvs
