#include "channel_handle.h"

#include <cerrno>
#include <utility>

#include "addon.h"
#include "open.h"

namespace node_ipvs {

Napi::FunctionReference ChannelHandle::define(Napi::Env env) {
  return Napi::Persistent(
      DefineClass(env, "Channel",
                  {
                      InstanceMethod<&ChannelHandle::send>("send"),
                      InstanceMethod<&ChannelHandle::hold>("hold"),
                      InstanceMethod<&ChannelHandle::openInNamespace>("openInNamespace"),
                      InstanceMethod<&ChannelHandle::close>("close"),
                  }));
}

Napi::Value openChannel(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  // Values are read, and no properties: those cannot be read while a worker thread is being terminated.
  int protocol = info[0].As<Napi::Number>().Int32Value();
  auto groups = info[1].As<Napi::Uint32Array>();
  int receiveBuffer = info[2].As<Napi::Number>().Int32Value();
  netlink::NamespaceChoice choice;
  if (info[3].IsString()) choice.path = info[3].As<Napi::String>();
  if (info[3].IsNumber()) choice.descriptor = info[3].As<Napi::Number>().Int32Value();
  Napi::Object object = env.GetInstanceData<Addon>()->channelClass.New({});
  // A worker thread may be terminated at any moment. Every Node-API call then fails without an exception.
  if (env.IsExceptionPending() || object.IsEmpty()) return {};
  ChannelHandle* handle = ChannelHandle::Unwrap(object);
  if (!handle) return {};
  int opened = 0;
  auto visited = netlink::runInNamespace(choice, [&] {
    opened = handle->channel_.open(protocol, {groups.Data(), groups.ElementLength()}, receiveBuffer);
    if (opened == 0) opened = netlink::currentNamespace(handle->namespace_);
  });
  using Step = netlink::NamespaceResult;
  if (visited.failed != Step::none || opened) {
    handle->release();
    const char* step = visited.failed == Step::open    ? "netns-open"
                       : visited.failed == Step::enter ? "netns-enter"
                                                       : "socket";
    toError(env, {step, visited.failed == Step::none ? opened : visited.error, {}})
        .ThrowAsJavaScriptException();
    return {};
  }
  object.Set("namespace", handle->namespace_.number());
  object.Set("onMessages", env.Undefined());
  if (!handle->start(env)) {
    handle->release();
    toError(env, {"socket", -EAGAIN, {}}).ThrowAsJavaScriptException();
    return {};
  }
  return object;
}

ChannelHandle::ChannelHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ChannelHandle>(info), channel_(onArrived, this) {}

// Runs when the garbage collector takes the object, which it does not while the object is held.
ChannelHandle::~ChannelHandle() { release(); }

bool ChannelHandle::start(Napi::Env env) {
  napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "ipvs.network"), 0, 1,
                                      nullptr, nullptr, this, callJs, &wakeUp_);
  if (status != napi_ok) return false;
  napi_unref_threadsafe_function(env, wakeUp_);
  // Hooks run in reverse order. This one must end the thread before the function's own hook destroys the
  // function.
  napi_add_env_cleanup_hook(env, onTeardown, this);
  return channel_.start() == 0;
}

Napi::Value ChannelHandle::send(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsTypedArray()) {
    Napi::TypeError::New(env, "expected messages (Uint8Array)").ThrowAsJavaScriptException();
    return {};
  }
  auto messages = info[0].As<Napi::Uint8Array>();
  auto bytes = reinterpret_cast<const std::byte*>(messages.Data());
  if (wakeUp_) channel_.send({bytes, messages.ByteLength()});
  return env.Undefined();
}

Napi::Value ChannelHandle::hold(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  bool on = info[0].As<Napi::Boolean>().Value();
  if (!wakeUp_ || on == held_) return env.Undefined();
  held_ = on;
  if (on) {
    Ref();
    napi_ref_threadsafe_function(env, wakeUp_);
  } else {
    napi_unref_threadsafe_function(env, wakeUp_);
    Unref();
  }
  return env.Undefined();
}

Napi::Value ChannelHandle::openInNamespace(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  int flags = info[1].As<Napi::Number>().Int32Value();
  int opened = wakeUp_ ? netlink::openInNamespace(namespace_, path.c_str(), flags) : -EBADF;
  return Napi::Number::New(info.Env(), opened);
}

Napi::Value ChannelHandle::close(const Napi::CallbackInfo& info) {
  release();
  return info.Env().Undefined();
}

void ChannelHandle::release() {
  channel_.close();
  namespace_.reset();
  if (!wakeUp_) return;
  napi_remove_env_cleanup_hook(Env(), onTeardown, this);
  napi_release_threadsafe_function(std::exchange(wakeUp_, nullptr), napi_tsfn_abort);
  if (std::exchange(held_, false)) Unref();
}

void ChannelHandle::onTeardown(void* handle) {
  auto& self = *static_cast<ChannelHandle*>(handle);
  self.channel_.stop();
  // The environment closes the function itself.
  self.wakeUp_ = nullptr;
}

// On the channel's thread.
void ChannelHandle::onArrived(void* handle) {
  napi_call_threadsafe_function(static_cast<ChannelHandle*>(handle)->wakeUp_, nullptr, napi_tsfn_nonblocking);
}

void ChannelHandle::callJs(napi_env env, napi_value, void* context, void*) {
  // No environment means that the function is being destroyed, and the handle may be gone.
  if (env) static_cast<ChannelHandle*>(context)->deliver(env);
}

void ChannelHandle::deliver(Napi::Env env) {
  if (!wakeUp_) return;
  Napi::HandleScope scope(env);
  int error = channel_.take(taken_);
  if (taken_.empty() && error == 0) return;
  Napi::Object self = Value();
  napi_value arguments[2], onMessages, result;
  void* data;
  // Each of these fails only while the environment is being torn down.
  if (napi_create_arraybuffer(env, taken_.size(), &data, &arguments[0]) != napi_ok) return;
  if (!taken_.empty()) std::memcpy(data, taken_.data(), taken_.size());
  if (napi_create_int32(env, error, &arguments[1]) != napi_ok) return;
  napi_valuetype type = napi_undefined;
  if (napi_get_named_property(env, self, "onMessages", &onMessages) == napi_ok) {
    napi_typeof(env, onMessages, &type);
  }
  if (type != napi_function) return;
  // The callee may close the handle, so nothing of it is used afterwards.
  if (napi_call_function(env, self, onMessages, 2, arguments, &result) == napi_pending_exception) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }
}

}  // namespace node_ipvs
