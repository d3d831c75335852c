// The object JavaScript holds for an open session.
//
//   execute(requests: Uint8Array, length, count): void      answered on the worker's thread; the reply is handed to the object's own
//                                                           property `onReply`, in order
//   executeSync(requests: Uint8Array, length, count): ArrayBuffer | null
//   openInNamespace(path: string, flags: number): number    opens a file on a thread inside the session's network namespace: a descriptor, or a
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
  /// Wraps an open session. Empty with a pending exception if that fails.
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
  Napi::Value toReply(Napi::Env env, ipvs::ReplyWriter& reply);
  void release();

  static void onAnswered(void* handle);
  static void onTeardown(void* handle);
  static void callJs(napi_env env, napi_value callback, void* context, void* data);

  std::unique_ptr<Session> session_;
  std::unique_ptr<Worker> worker_;
  napi_threadsafe_function wakeUp_ = nullptr;
  ipvs::ReplyWriter syncReply_;
  std::unique_ptr<Job> spare_;
  std::uint32_t pending_ = 0;
  bool delivering_ = false;
  bool closing_ = false;
};

}  // namespace node_ipvs
