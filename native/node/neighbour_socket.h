// openNeighbourSocket(namespace: number, interface: number, ipv6: boolean): number
//
// Opens a packet socket on one interface of a network namespace, with Ethernet headers, by which machines on the link
// are asked who has an address: it hears ARP frames, or neighbour advertisements of IPv6. The interface is given by its
// index. The socket is non-blocking; `fs.readSync` and `fs.writeSync` can use it. Returns a descriptor, which the
// caller closes with closeDescriptor, or a negative errno (EPERM: needs CAP_NET_RAW there).
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value openNeighbourSocket(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
