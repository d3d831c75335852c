// The JavaScript object of a netlink channel.
//
// clang-format off
//   openChannel(protocol, groups: Uint32Array, receiveBuffer, netns: string | number | undefined): Channel
//       Opens a socket in a network namespace (a path, or a descriptor) and joins multicast groups. Throws as
//       openSync does.
//   send(messages: Uint8Array): void
//       Sends requests from the channel's own thread.
//   hold(on: boolean): void
//       Sets whether the channel keeps the event loop, and itself, alive. Off at first.
//   openInNamespace(path: string, flags: number): number
//       As that of an IPVS handle.
//   close(): void
//       Closes the channel. No more messages arrive.
//   namespace: number
// clang-format on
//
// Messages go to the object's own `onMessages(messages: ArrayBuffer, errno: number)`: netlink messages one
// after another, and the error that occurred before them (0: none), as in `netlink::Channel::take`.
#pragma once

#include <napi.h>

#include <memory>

#include "netlink/channel.h"
#include "netlink/descriptor.h"

namespace node_ipvs {

Napi::Value openChannel(const Napi::CallbackInfo& info);

class ChannelHandle : public Napi::ObjectWrap<ChannelHandle> {
 public:
  /// Defines the class for one environment.
  static Napi::FunctionReference define(Napi::Env env);

  explicit ChannelHandle(const Napi::CallbackInfo& info);
  ~ChannelHandle();

 private:
  friend Napi::Value openChannel(const Napi::CallbackInfo& info);

  bool start(Napi::Env env);
  Napi::Value send(const Napi::CallbackInfo& info);
  Napi::Value hold(const Napi::CallbackInfo& info);
  Napi::Value openInNamespace(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void deliver(Napi::Env env);
  void release();

  static void onArrived(void* handle);
  static void onTeardown(void* handle);
  static void callJs(napi_env env, napi_value callback, void* context, void* data);

  netlink::Channel channel_;
  netlink::Descriptor namespace_;
  netlink::Bytes taken_;
  napi_threadsafe_function wakeUp_ = nullptr;
  bool held_ = false;
};

}  // namespace node_ipvs
