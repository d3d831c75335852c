#include "open.h"

#include <fcntl.h>

#include <cerrno>

#include "handle.h"

namespace node_ipvs {

namespace {

// In bytes; the kernel doubles both. Larger buffers gain nothing measurable: 4 MiB hold the refusals of more
// than 6,000 requests, 1 MiB holds 14,000 destinations.
constexpr int defaultReceiveBuffer = 4 * 1024 * 1024;
constexpr int defaultSendBuffer = 1024 * 1024;

OpenOptions readOptions(const Napi::CallbackInfo& info) {
  OpenOptions options{{}, {defaultReceiveBuffer, defaultSendBuffer}};
  if (!info[0].IsObject()) return options;
  auto object = info[0].As<Napi::Object>();
  auto number = [&](const char* name, int otherwise) {
    Napi::Value value = object.Get(name);
    return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : otherwise;
  };
  if (Napi::Value path = object.Get("netnsPath"); path.IsString())
    options.netns.path = path.As<Napi::String>();
  options.netns.descriptor = number("netnsFd", -1);
  options.buffers.receive = number("receiveBuffer", defaultReceiveBuffer);
  options.buffers.send = number("sendBuffer", defaultSendBuffer);
  return options;
}

// Callbacks still arrive while an environment is being torn down, for instance that of a terminated worker
// thread. JavaScript cannot run then.
bool canRunJavaScript(Napi::Env env) {
  napi_value global;
  bool has;
  return napi_get_global(env, &global) == napi_ok &&
         napi_has_named_property(env, global, "Object", &has) == napi_ok;
}

/// An open in progress on a thread of its own. It deletes itself when its answer has been delivered or the
/// environment ends.
class Opening {
 public:
  Opening(Napi::Env env, OpenOptions options, napi_deferred deferred)
      : env_(env), options_(std::move(options)), deferred_(deferred) {}

  void start() {
    napi_status status =
        napi_create_threadsafe_function(env_, nullptr, nullptr, Napi::String::New(env_, "ipvs.open"), 0, 1,
                                        nullptr, nullptr, this, callJs, &wakeUp_);
    if (status != napi_ok) {
      error_ = {"socket", -ENOMEM, {}};
      settle();
      delete this;
      return;
    }
    napi_add_env_cleanup_hook(env_, onTeardown, this);
    if (int error = keepDescriptor()) {
      error_ = {"netns-enter", error, {}};
      settle();
      finish();
    } else if (int error = thread_.start("ipvs-open", run, this)) {
      error_ = {"socket", error, {}};
      settle();
      finish();
    }
  }

 private:
  // Duplicates the descriptor: the caller may close its own before the thread uses it, and the number may
  // then belong to another file.
  int keepDescriptor() {
    int& number = options_.netns.descriptor;
    if (number < 0) return 0;
    descriptor_ = netlink::Descriptor(fcntl(number, F_DUPFD_CLOEXEC, 0));
    if (!descriptor_) return -errno;
    number = descriptor_.number();
    return 0;
  }

  static void* run(void* context) {
    auto& self = *static_cast<Opening*>(context);
    self.session_ = Session::open(self.options_, self.error_, self.abandoned_);
    napi_call_threadsafe_function(self.wakeUp_, nullptr, napi_tsfn_nonblocking);
    return nullptr;
  }

  static void callJs(napi_env env, napi_value, void* context, void*) {
    if (!env) return;
    auto& self = *static_cast<Opening*>(context);
    self.thread_.join();
    Napi::HandleScope scope(env);
    if (canRunJavaScript(env)) self.settle();
    self.finish();
  }

  static void onTeardown(void* context) {
    auto self = static_cast<Opening*>(context);
    self->abandoned_ = true;
    self->thread_.join();
    delete self;
  }

  void settle() {
    if (!session_) {
      napi_reject_deferred(env_, deferred_, toError(env_, error_).Value());
      return;
    }
    Napi::Value handle = Handle::create(env_, std::move(session_));
    if (env_.IsExceptionPending()) {
      napi_reject_deferred(env_, deferred_, env_.GetAndClearPendingException().Value());
    } else if (!handle.IsEmpty()) {
      napi_resolve_deferred(env_, deferred_, handle);
    }
  }

  void finish() {
    napi_remove_env_cleanup_hook(env_, onTeardown, this);
    napi_release_threadsafe_function(wakeUp_, napi_tsfn_release);
    delete this;
  }

  Napi::Env env_;
  OpenOptions options_;
  netlink::Descriptor descriptor_;
  napi_deferred deferred_;
  napi_threadsafe_function wakeUp_ = nullptr;
  netlink::Thread thread_;
  std::unique_ptr<Session> session_;
  OpenError error_{};
  std::atomic<bool> abandoned_ = false;
};

}  // namespace

Napi::Error toError(Napi::Env env, const OpenError& failure) {
  Napi::Error error = Napi::Error::New(env, std::string("IPVS could not be opened: ") + failure.step);
  error.Set("step", Napi::String::New(env, failure.step));
  error.Set("errno", static_cast<double>(failure.error));
  if (!failure.text.empty()) error.Set("text", Napi::String::New(env, failure.text));
  return error;
}

Napi::Value openAsync(const Napi::CallbackInfo& info) {
  napi_deferred deferred;
  napi_value promise;
  // Fails only while the environment is being torn down. Napi::Promise::Deferred cannot express that.
  if (napi_create_promise(info.Env(), &deferred, &promise) != napi_ok) return {};
  auto opening = new Opening(info.Env(), readOptions(info), deferred);
  opening->start();
  return {info.Env(), promise};
}

Napi::Value openSync(const Napi::CallbackInfo& info) {
  OpenError failure{};
  const std::atomic<bool> abandon = false;
  std::unique_ptr<Session> session = Session::open(readOptions(info), failure, abandon);
  if (!session) {
    toError(info.Env(), failure).ThrowAsJavaScriptException();
    return {};
  }
  return Handle::create(info.Env(), std::move(session));
}

}  // namespace node_ipvs
