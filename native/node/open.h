// open(options): Promise<Handle> and openSync(options): Handle, with options { netnsPath?, netnsFd?,
// receiveBuffer?, sendBuffer? }.
//
// A failure is an Error with the properties `step`, `errno` (negative) and, if the kernel sent a message,
// `text`.
#pragma once

#include <napi.h>

#include "session.h"

namespace node_ipvs {

/// The error of a failed open.
Napi::Error toError(Napi::Env env, const OpenError& failure);

Napi::Value openAsync(const Napi::CallbackInfo& info);
Napi::Value openSync(const Napi::CallbackInfo& info);

}  // namespace node_ipvs
