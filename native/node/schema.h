// The layout of packed requests, replies and records, handed to JavaScript so that there is no second copy of
// it.
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Object makeSchema(Napi::Env env);

}  // namespace node_ipvs
