// The addon's state for each environment (the main thread or a worker thread).
#pragma once

#include <napi.h>

namespace node_ipvs {

struct Addon {
  Napi::FunctionReference handleClass;
  Napi::FunctionReference channelClass;
};

}  // namespace node_ipvs
