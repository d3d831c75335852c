// Any bytes as the attributes of a service.
#include "nest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzNest<ipvs::ServiceRecord, ipvs::decodeService>(data, size);
  return 0;
}
