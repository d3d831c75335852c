// The object JavaScript holds for an open session.
//
//   execute(requests: Uint8Array, length, count, batch, space?: ArrayBuffer): void
//                                                           carried out on the worker's thread; the reply is
//                                                           handed to the object's own property `onReply`, in
//                                                           order
//   executeSync(requests: Uint8Array, length, count, batch, space?: ArrayBuffer): ArrayBuffer | null
//                                                           Where there is a reply and it fits `space`, it is
//                                                           `space` that is returned: memory that has been
//                                                           touched before costs a tenth of new one. Its
//                                                           header tells how much of it is used
//   openInNamespace(path: string, flags: number): number    opens a file as a thread inside the session's
//                                                           network namespace does: a descriptor, or a
//                                                           negative errno. For what /proc shows by namespace
//   close(): void                                           after what is queued has been answered
//   receiveBuffer, sendBuffer, requestsPerSend, namespace: number
#pragma once

#include <napi.h>

#include <memory>

#include "session.h"
#include "worker.h"

namespace node_ipvs {

class Handle : public Napi::ObjectWrap<Handle> {
 public:
  /// Makes the class for one environment.
  static Napi::FunctionReference define(Napi::Env env);
  /// Wraps an open session. Empty if that fails, with a pending exception unless the environment is being
  /// taken down.
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
