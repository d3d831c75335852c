// What a worker thread needs to check servers from inside a network namespace:
//
// enterNamespace(descriptor): moves the calling thread, and no other, into a network namespace. The caller
// keeps the descriptor. Throws on the main thread. Returns 0 or a negative errno (EPERM: needs
// CAP_SYS_ADMIN).
//
// openSocket(family, type, protocol, mark, device, address?): opens a socket of a kind that Node cannot open
// itself: with a firewall mark (0: none), bound to an interface (empty: none) or to an address (4 or 16
// bytes), or for ICMP. `family` is 4 or 6; `type` is 'stream', 'datagram' or 'raw'. The socket is
// non-blocking and close-on-exec. Returns its descriptor, which the caller owns, or a negative errno.
//
// sendTo(descriptor, address, bytes): sends a datagram to port 0 of an address of 4 or 16 bytes.
// receiveFrom(descriptor, bytes): receives a datagram without waiting.
// Both return a number of bytes or a negative errno (EAGAIN: not now).
//
// closeDescriptor(descriptor): closes what the addon opened and Node has not taken over: a socket from
// openSocket, a file from a handle's openInNamespace. `fs.close` would do, but warns in worker threads about
// descriptors that `fs` did not open.
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value enterNamespace(const Napi::CallbackInfo& info);
Napi::Value openSocket(const Napi::CallbackInfo& info);
Napi::Value sendTo(const Napi::CallbackInfo& info);
Napi::Value receiveFrom(const Napi::CallbackInfo& info);
void closeDescriptor(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
