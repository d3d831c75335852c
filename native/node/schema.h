// Hands the layout of packed requests, replies and records to JavaScript, so that it is defined only once.
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Object makeSchema(Napi::Env env);

}  // namespace node_ipvs
