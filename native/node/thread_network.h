// What a worker thread needs to check servers from within a network namespace.
//
// enterNamespace(descriptor): moves the calling thread, and no other, into a network namespace. The
// descriptor stays the caller's. Throws on the main thread. Returns 0 or a negative errno (EPERM: needs
// CAP_SYS_ADMIN).
//
// openSocket(family, type, protocol, mark, device, address?): a socket that Node cannot open by itself: with a
// firewall mark (0: none), bound to an interface (empty: none) or to an address (4 or 16 bytes), or for ICMP.
// `family` is 4 or 6, `type` 'stream', 'datagram' or 'raw'. It does not block, and is closed on exec. Returns
// its descriptor, which is the caller's, or a negative errno.
//
// sendTo(descriptor, address, bytes): sends a datagram to port 0 of an address of 4 or 16 bytes.
// receiveFrom(descriptor, bytes): takes one that is there. Both return a number of bytes, or a negative errno
// (EAGAIN: not now). closeSocket(descriptor): closes what openSocket opened and Node has not taken over; `fs`
// warns in worker threads of what it has not opened itself.
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value enterNamespace(const Napi::CallbackInfo& info);
Napi::Value openSocket(const Napi::CallbackInfo& info);
Napi::Value sendTo(const Napi::CallbackInfo& info);
Napi::Value receiveFrom(const Napi::CallbackInfo& info);
void closeSocket(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
