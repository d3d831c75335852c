#include "fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace node_ipvs {

Napi::Value makeFifo(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  uint32_t mode = info[1].As<Napi::Number>().Uint32Value();
  // The system call itself: mkfifo(3) has another symbol behind it in old glibc.
  int64_t made = syscall(SYS_mknodat, AT_FDCWD, path.c_str(), S_IFIFO | mode, 0);
  return Napi::Number::New(info.Env(), made < 0 ? -errno : 0);
}

}  // namespace node_ipvs
