// The addon: { schema, open(options), openSync(options) }.
#include "addon.h"

#include "handle.h"
#include "open.h"
#include "schema.h"

namespace node_ipvs {

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Addon{Handle::define(env)});
  exports.Set("schema", makeSchema(env));
  exports.Set("open", Napi::Function::New<openAsync>(env, "open"));
  exports.Set("openSync", Napi::Function::New<openSync>(env, "openSync"));
  return exports;
}

NODE_API_MODULE(ipvs, initialise)

}  // namespace node_ipvs
