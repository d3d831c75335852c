#include "handle.h"

#include <cerrno>

#include "addon.h"
#include "ipvs/request.h"

namespace node_ipvs {

namespace {

// In bytes. Up to this size a copy costs less than keeping the caller's array alive.
constexpr std::size_t smallRequests = 1024;

// In bytes. Up to this size a copy costs less than giving the memory away and touching new memory for the
// next reply.
constexpr std::size_t smallReply = 256 * 1024;

// The same limit when the caller will offer the reply's buffer again.
constexpr std::size_t reusableReply = 1024 * 1024;

// How many finished jobs are kept to reuse their buffers.
constexpr int mostSpare = 4;

// In bytes. If the offered buffer is too small, the new one is rounded up to a multiple of this, so that it
// can be offered again.
constexpr std::size_t replyGranularity = 64 * 1024;

struct Arguments {
  netlink::ByteView requests;
  std::uint32_t count;
  std::uint32_t batch;
  napi_value space;  ///< null if none is offered
};

// Reads (requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer). Returns
// false with a pending exception.
bool readArguments(const Napi::CallbackInfo& info, Arguments& arguments) {
  napi_env env = info.Env();
  napi_typedarray_type type;
  std::size_t available;
  void* data;
  std::uint32_t length, count, batch;
  bool valid =
      info.Length() >= 4 &&
      napi_get_typedarray_info(env, info[0], &type, &available, &data, nullptr, nullptr) == napi_ok &&
      type == napi_uint8_array && napi_get_value_uint32(env, info[1], &length) == napi_ok &&
      napi_get_value_uint32(env, info[2], &count) == napi_ok &&
      napi_get_value_uint32(env, info[3], &batch) == napi_ok && length <= available &&
      count <= length / sizeof(ipvs::RequestHeader);
  napi_value space = nullptr;
  if (valid && info.Length() > 4 && !info[4].IsUndefined()) {
    space = info[4];
    valid = info[4].IsArrayBuffer();
  }
  if (!valid) {
    Napi::TypeError::New(
        env,
        "expected packed requests (Uint8Array), their length in bytes, their number, that of their "
        "batch, and perhaps an ArrayBuffer for the reply")
        .ThrowAsJavaScriptException();
    return false;
  }
  arguments = {{static_cast<const std::byte*>(data), length}, count, batch, space};
  return true;
}

// Whether the first of the packed requests is a dump.
bool isDump(netlink::ByteView requests) {
  return netlink::load<ipvs::RequestHeader>(requests.data()).flags & ipvs::requestDump;
}

}  // namespace

Napi::FunctionReference Handle::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(env, "Handle",
                                      {
                                          InstanceMethod<&Handle::execute>("execute"),
                                          InstanceMethod<&Handle::executeSync>("executeSync"),
                                          InstanceMethod<&Handle::openInNamespace>("openInNamespace"),
                                          InstanceMethod<&Handle::close>("close"),
                                      }));
}

Napi::Value Handle::create(Napi::Env env, std::unique_ptr<Session> session) {
  Napi::Object object = env.GetInstanceData<Addon>()->handleClass.New({});
  // A worker thread may be terminated at any moment. Every Node-API call then fails without an exception.
  if (env.IsExceptionPending() || object.IsEmpty()) return {};
  Handle* handle = Unwrap(object);
  if (!handle) return {};
  auto buffers = session->bufferSizes();
  object.Set("receiveBuffer", buffers.receive);
  object.Set("sendBuffer", buffers.send);
  object.Set("requestsPerSend", static_cast<double>(session->client().limits().requestsPerSend()));
  object.Set("namespace", session->networkNamespace());
  object.Set("onReply", env.Undefined());
  handle->worker_ = std::make_unique<Worker>(session->client(), onAnswered, handle);
  handle->session_ = std::move(session);
  return object;
}

Handle::Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Handle>(info) {}

// Runs when the garbage collector takes the object. Nothing is pending then, because pending work references
// it.
Handle::~Handle() { release(); }

// Creates what only asynchronous calls need.
bool Handle::start(Napi::Env env) {
  if (wakeUp_) return true;
  napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "ipvs"),
                                                       0, 1, nullptr, nullptr, this, callJs, &wakeUp_);
  if (status != napi_ok) return false;
  napi_unref_threadsafe_function(env, wakeUp_);
  // Hooks run in reverse order. This one must end the worker before the function's own hook destroys the
  // function.
  napi_add_env_cleanup_hook(env, onTeardown, this);
  return true;
}

Napi::Value Handle::execute(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments;
  if (!readArguments(info, arguments)) return {};
  if (!session_ || closing_) {
    Napi::Error::New(env, "the handle is closed").ThrowAsJavaScriptException();
    return {};
  }
  if (!start(env)) {
    Napi::Error::New(env, "no thread-safe function could be made").ThrowAsJavaScriptException();
    return {};
  }
  std::unique_ptr<Job> job = spare_.pop();
  if (job) {
    --spares_;
  } else {
    job = std::make_unique<Job>();
  }
  job->count = arguments.count;
  job->batch = arguments.batch;
  if (arguments.requests.size() <= smallRequests) {
    job->copy.resize(arguments.requests.size());
    if (!arguments.requests.empty()) {
      std::memcpy(job->copy.data(), arguments.requests.data(), arguments.requests.size());
    }
    job->requests = job->copy.view();
    job->owner = nullptr;
  } else {
    napi_ref reference;
    if (napi_create_reference(env, info[0], 1, &reference) != napi_ok) {
      Napi::Error::New(env).ThrowAsJavaScriptException();
      return {};
    }
    job->requests = arguments.requests;
    job->owner = reference;
  }
  if (arguments.space) {
    napi_ref reference;
    if (napi_create_reference(env, arguments.space, 1, &reference) == napi_ok) job->space = reference;
  }
  void* owner = job->owner;
  void* space = job->space;
  if (int error = worker_->push(std::move(job))) {
    if (owner) napi_delete_reference(env, static_cast<napi_ref>(owner));
    if (space) napi_delete_reference(env, static_cast<napi_ref>(space));
    Napi::Error failure = Napi::Error::New(env, "no thread could be started");
    failure.Set("errno", static_cast<double>(error));
    failure.ThrowAsJavaScriptException();
    return {};
  }
  if (pending_++ == 0 && !delivering_) {
    Ref();
    napi_ref_threadsafe_function(env, wakeUp_);
  }
  // Only if nothing else is pending: one change takes the kernel some microseconds, but a dump or a batch can
  // take milliseconds.
  if (pending_ == 1 && arguments.count == 1 && !isDump(arguments.requests)) worker_->letRun();
  return env.Undefined();
}

Napi::Value Handle::executeSync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments;
  if (!readArguments(info, arguments)) return {};
  if (!session_ || closing_) {
    Napi::Error::New(env, "the handle is closed").ThrowAsJavaScriptException();
    return {};
  }
  worker_->executeHere(arguments.requests, arguments.count, syncReply_, arguments.batch);
  // Always copies: memory handed to an ArrayBuffer is freed in a turn of the event loop, and synchronous
  // calls may not leave it one.
  napi_value reply = toReply(env, syncReply_, arguments.space, SIZE_MAX);
  if (!reply) Napi::Error::New(env).ThrowAsJavaScriptException();
  return {env, reply};
}

Napi::Value Handle::openInNamespace(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsNumber()) {
    Napi::TypeError::New(env, "expected a path and flags").ThrowAsJavaScriptException();
    return {};
  }
  if (!session_) return Napi::Number::New(env, -EBADF);
  std::string path = info[0].As<Napi::String>();
  int flags = info[1].As<Napi::Number>().Int32Value();
  return Napi::Number::New(env, session_->openInNamespace(path.c_str(), flags));
}

Napi::Value Handle::close(const Napi::CallbackInfo& info) {
  closing_ = true;
  // If the last answer's callback calls close(), deliver() still needs what release() would destroy, and
  // calls it afterwards.
  if (pending_ == 0 && !delivering_) release();
  return info.Env().Undefined();
}

// Ends the thread, which is idle or has been told to abandon its work, and closes the descriptors.
void Handle::release() {
  closing_ = true;
  if (worker_) worker_->stop();
  if (wakeUp_) {
    napi_remove_env_cleanup_hook(Env(), onTeardown, this);
    napi_release_threadsafe_function(wakeUp_, napi_tsfn_abort);
    wakeUp_ = nullptr;
  }
  worker_.reset();
  session_.reset();
}

void Handle::onTeardown(void* handle) {
  auto& self = *static_cast<Handle*>(handle);
  self.closing_ = true;
  self.worker_->stop();
  // The environment closes the function itself.
  self.wakeUp_ = nullptr;
}

// On the worker's thread.
void Handle::onAnswered(void* handle) {
  napi_call_threadsafe_function(static_cast<Handle*>(handle)->wakeUp_, nullptr, napi_tsfn_nonblocking);
}

void Handle::callJs(napi_env env, napi_value, void* context, void*) {
  // No environment means that the function is being destroyed, and the handle may be gone.
  if (env) static_cast<Handle*>(context)->deliver(env);
}

// Returns the reply in the offered buffer if it fits, otherwise in a new one. A reply of more than
// `mostCopied` bytes is not copied into a new one: its memory moves there from `reply`. Null if no buffer can
// be made, which only happens while the environment is being torn down (V8 ends the process when memory runs
// out).
napi_value Handle::toReply(Napi::Env env, ipvs::ReplyWriter& reply, napi_value space,
                           std::size_t mostCopied) {
  netlink::Bytes& bytes = reply.bytes();
  if (bytes.empty()) return env.Null();
  napi_value buffer = nullptr;
  void* data = nullptr;
  std::size_t available = 0;
  if (space && napi_get_arraybuffer_info(env, space, &data, &available) == napi_ok) buffer = space;
  if (available < bytes.size()) {
    if (bytes.size() > mostCopied) {
      std::size_t size = bytes.size();
      std::byte* own = bytes.release();
      auto free = [](napi_env, void* own, void*) { std::free(own); };
      if (napi_create_external_arraybuffer(env, own, size, free, nullptr, &buffer) == napi_ok)
        return buffer;
      // Some embedders do not allow external memory.
      bool made = napi_create_arraybuffer(env, size, &data, &buffer) == napi_ok;
      if (made) std::memcpy(data, own, size);
      std::free(own);
      return made ? buffer : nullptr;
    }
    std::size_t size = space ? netlink::alignUp(bytes.size(), replyGranularity) : bytes.size();
    if (napi_create_arraybuffer(env, size, &data, &buffer) != napi_ok) return nullptr;
  }
  std::memcpy(data, bytes.data(), bytes.size());
  return buffer;
}

void Handle::deliver(Napi::Env env) {
  if (!worker_) return;
  Napi::HandleScope scope(env);
  Napi::Object self = Value();
  JobList done;
  worker_->takeDone(done);
  // An earlier call may already have delivered the answers of this one.
  if (done.empty()) return;
  delivering_ = true;
  while (std::unique_ptr<Job> job = done.pop()) {
    Napi::HandleScope each(env);
    if (job->owner) napi_delete_reference(env, static_cast<napi_ref>(std::exchange(job->owner, nullptr)));
    napi_value space = nullptr;
    if (job->space) {
      auto reference = static_cast<napi_ref>(std::exchange(job->space, nullptr));
      napi_get_reference_value(env, reference, &space);
      napi_delete_reference(env, reference);
    }
    napi_value reply = toReply(env, job->reply, space, space ? reusableReply : smallReply);
    if (spares_ < mostSpare) {
      spare_.push(std::move(job));
      ++spares_;
    }
    --pending_;
    // Skipped rather than reported as success. The environment is being torn down, so nothing awaits it.
    if (!reply) continue;
    napi_value onReply, result;
    napi_valuetype type = napi_undefined;
    if (napi_get_named_property(env, self, "onReply", &onReply) == napi_ok) napi_typeof(env, onReply, &type);
    if (type != napi_function) continue;
    if (napi_call_function(env, self, onReply, 1, &reply, &result) == napi_pending_exception) {
      // Treated like an exception in any event-loop callback: 'uncaughtException', or the end of the process.
      // The remaining answers are still delivered.
      napi_value error;
      if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
    }
  }
  delivering_ = false;
  if (pending_ > 0) return;
  napi_unref_threadsafe_function(env, wakeUp_);
  Unref();
  if (closing_) release();
}

}  // namespace node_ipvs
