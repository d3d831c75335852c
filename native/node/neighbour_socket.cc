#include "neighbour_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <iterator>

#include "netlink/descriptor.h"
#include "netlink/network_namespace.h"

namespace node_ipvs {

namespace {

constexpr uint8_t neighbourAdvertisement = 136;
/// Where a frame has the protocol inside IPv6, and the type of an ICMPv6 message.
constexpr uint32_t nextHeader = ETH_HLEN + 6;
constexpr uint32_t icmpType = ETH_HLEN + 40;

/// Lets only neighbour advertisements through: the interface may carry a lot of other IPv6.
int keepAdvertisements(int descriptor) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, nextHeader),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, icmpType),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, neighbourAdvertisement, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

/// Opens the socket in the calling thread's namespace. It hears nothing before it is bound to the interface.
int openHere(int interface, bool ipv6) {
  netlink::Descriptor opened(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!opened) return -errno;
  if (ipv6 && keepAdvertisements(opened.number()) != 0) return -errno;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_ARP);
  address.sll_ifindex = interface;
  if (bind(opened.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -errno;
  return opened.release();
}

}  // namespace

Napi::Value openNeighbourSocket(const Napi::CallbackInfo& info) {
  netlink::Descriptor chosen(fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0));
  int interface = info[1].As<Napi::Number>().Int32Value();
  bool ipv6 = info[2].As<Napi::Boolean>().Value();
  int opened = -EBADF;
  if (chosen) {
    auto visited = netlink::runInNamespace({{}, chosen.number()}, [&] { opened = openHere(interface, ipv6); });
    if (visited.error) opened = visited.error;
  }
  return Napi::Number::New(info.Env(), opened);
}

}  // namespace node_ipvs
