// Any bytes as the attributes of a config.
#include "nest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzNest<ipvs::ConfigRecord, ipvs::decodeConfig>(data, size);
  return 0;
}
