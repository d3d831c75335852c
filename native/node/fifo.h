// makeFifo(path: string, mode: number): number
//
// Makes a named pipe, which Node cannot make itself. Returns 0 or a negative errno (EEXIST: the path is there).
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value makeFifo(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
