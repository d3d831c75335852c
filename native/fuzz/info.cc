// Any bytes as the attributes of an info.
#include "nest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzNest<ipvs::InfoRecord, ipvs::decodeInfo>(data, size);
  return 0;
}
