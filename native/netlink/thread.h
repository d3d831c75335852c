// A thread with a small stack that leaves the process's signals to others, and whose failure to start is a
// value.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace netlink {

class Thread {
 public:
  Thread() = default;
  ~Thread() { join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  bool running() const { return running_; }

  /// Runs `body(context)`. `name` (at most 15 bytes) is what `top -H` shows. Returns 0 or a negative errno
  /// (EAGAIN: too many threads).
  int start(const char* name, void* (*body)(void*), void* context) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
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

  /// Waits for the thread's end. Harmless where none runs.
  void join() {
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
  }

 private:
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace netlink
