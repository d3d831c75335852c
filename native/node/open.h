// open(options): Promise<Handle> and openSync(options): Handle, with options { netnsPath?, netnsFd?,
// receiveBuffer?, sendBuffer? }.
//
// What fails is an Error with the properties `step`, `errno` (negative) and, where the kernel sent one,
// `text`.
#pragma once

#include <napi.h>

namespace node_ipvs {

Napi::Value openAsync(const Napi::CallbackInfo& info);
Napi::Value openSync(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
