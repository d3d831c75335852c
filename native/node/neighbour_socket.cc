#include "arp_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

#include "netlink/descriptor.h"
#include "netlink/network_namespace.h"

namespace node_ipvs {

namespace {

/// Opens the socket in the calling thread's namespace. It hears nothing before it is bound to the interface.
int openHere(int interface) {
  netlink::Descriptor opened(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!opened) return -errno;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ARP);
  address.sll_ifindex = interface;
  if (bind(opened.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -errno;
  return opened.release();
}

}  // namespace

Napi::Value openArpSocket(const Napi::CallbackInfo& info) {
  netlink::Descriptor chosen(fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0));
  int interface = info[1].As<Napi::Number>().Int32Value();
  int opened = -EBADF;
  if (chosen) {
    auto visited = netlink::runInNamespace({{}, chosen.number()}, [&] { opened = openHere(interface); });
    if (visited.error) opened = visited.error;
  }
  return Napi::Number::New(info.Env(), opened);
}

}  // namespace node_ipvs
