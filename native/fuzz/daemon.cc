// Any bytes as the attributes of a daemon.
#include "nest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzNest<ipvs::DaemonRecord, ipvs::decodeDaemon>(data, size);
  return 0;
}
