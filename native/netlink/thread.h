// A thread with a small stack and all signals blocked. A failed start is a return value, not an exception.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <cstddef>

namespace netlink {

class Thread {
 public:
  Thread() = default;
  ~Thread() { join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  bool running() const { return running_; }

  /// Starts `body(context)` on a new thread. `top -H` shows `name` (at most 15 bytes). Returns 0 or a
  /// negative errno (EAGAIN: too many threads).
  int start(const char* name, void* (*body)(void*), void* context) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack + staticStorage(attributes));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread_, &attributes, body, context);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (error) return -error;
    running_ = true;
    pthread_setname_np(thread_, name);
    return 0;
  }

  /// Waits for the thread to end. Does nothing if none is running.
  void join() {
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
  }

 private:
  static constexpr std::size_t stack = 256 * 1024;

  // glibc takes the thread-local storage of all loaded libraries out of the stack. The size is only available
  // from a private function meant for other languages' runtimes. musl adds the storage to the stack by
  // itself.
  static std::size_t staticStorage(const pthread_attr_t& attributes) {
    using Least = std::size_t (*)(const pthread_attr_t*);
    const auto least = reinterpret_cast<Least>(dlsym(RTLD_DEFAULT, "__pthread_get_minstack"));
    return least ? least(&attributes) : 0;
  }

  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace netlink
