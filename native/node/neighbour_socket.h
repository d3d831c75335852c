// openArpSocket(namespace: number, interface: number): number
//
// Opens a packet socket that sends and receives ARP frames, with their Ethernet headers, on one interface of a
// network namespace. The interface is given by its index. The socket is non-blocking; `fs.readSync` and
// `fs.writeSync` can use it. Returns a descriptor, which the caller closes with closeDescriptor, or a
// negative errno (EPERM: needs CAP_NET_RAW there).
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value openArpSocket(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
