// The JavaScript object of an open session.
//
// clang-format off
//   execute(requests: Uint8Array, length, count, batch, space?: ArrayBuffer): void
//       Carries the requests out on the worker's thread. Replies go to the object's own `onReply`, in order.
//   executeSync(requests: Uint8Array, length, count, batch, space?: ArrayBuffer): ArrayBuffer | null
//       Carries the requests out on the calling thread, after everything queued. Null if there is no reply.
//   openInNamespace(path: string, flags: number): number
//       Opens a file as a thread inside the session's network namespace would, which matters for files
//       of /proc that differ by namespace. Returns a descriptor or a negative errno.
//   close(): void
//       Closes the session once everything queued has been answered.
//   receiveBuffer, sendBuffer, requestsPerSend, namespace: number
// clang-format on
//
// A reply that fits `space` is returned in it, because memory that has been touched before costs a tenth of
// new memory. The reply's header says how much of the buffer is used.
#pragma once

#include <napi.h>

#include <memory>

#include "session.h"
#include "worker.h"

namespace node_ipvs {

class Handle : public Napi::ObjectWrap<Handle> {
 public:
  /// Defines the class for one environment.
  static Napi::FunctionReference define(Napi::Env env);
  /// Wraps an open session. Returns an empty value on failure, with a pending exception unless the
  /// environment is being torn down.
  static Napi::Value create(Napi::Env env, std::unique_ptr<Session> session);

  explicit Handle(const Napi::CallbackInfo& info);
  ~Handle();

 private:
  Napi::Value execute(const Napi::CallbackInfo& info);
  Napi::Value executeSync(const Napi::CallbackInfo& info);
  Napi::Value openInNamespace(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  bool start(Napi::Env env);
  void deliver(Napi::Env env);
  static napi_value toReply(Napi::Env env, ipvs::ReplyWriter& reply, napi_value space,
                             std::size_t mostCopied);
  void release();

  static void onAnswered(void* handle);
  static void onTeardown(void* handle);
  static void callJs(napi_env env, napi_value callback, void* context, void* data);

  std::unique_ptr<Session> session_;
  std::unique_ptr<Worker> worker_;
  napi_threadsafe_function wakeUp_ = nullptr;
  ipvs::ReplyWriter syncReply_;
  JobList spare_;
  int spares_ = 0;
  std::uint32_t pending_ = 0;
  bool delivering_ = false;
  bool closing_ = false;
};

}  // namespace node_ipvs
