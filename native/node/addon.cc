// The addon: { schema, open(options), openSync(options) }, and the functions of channel_handle.h, neighbour_socket.h, fifo.h
// and thread_network.h.
#include "addon.h"

#include "neighbour_socket.h"
#include "channel_handle.h"
#include "fifo.h"
#include "handle.h"
#include "open.h"
#include "schema.h"
#include "thread_network.h"

namespace node_ipvs {

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Addon{Handle::define(env), ChannelHandle::define(env)});
  exports.Set("schema", makeSchema(env));
  exports.Set("open", Napi::Function::New<openAsync>(env, "open"));
  exports.Set("openSync", Napi::Function::New<openSync>(env, "openSync"));
  exports.Set("openChannel", Napi::Function::New<openChannel>(env, "openChannel"));
  exports.Set("openNeighbourSocket", Napi::Function::New<openNeighbourSocket>(env, "openNeighbourSocket"));
  exports.Set("makeFifo", Napi::Function::New<makeFifo>(env, "makeFifo"));
  exports.Set("enterNamespace", Napi::Function::New<enterNamespace>(env, "enterNamespace"));
  exports.Set("openSocket", Napi::Function::New<openSocket>(env, "openSocket"));
  exports.Set("sendTo", Napi::Function::New<sendTo>(env, "sendTo"));
  exports.Set("receiveFrom", Napi::Function::New<receiveFrom>(env, "receiveFrom"));
  exports.Set("closeDescriptor", Napi::Function::New<closeDescriptor>(env, "closeDescriptor"));
  return exports;
}

NODE_API_MODULE(ipvs, initialise)

}  // namespace node_ipvs
