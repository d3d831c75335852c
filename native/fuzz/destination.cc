// Any bytes as the attributes of a destination.
#include "nest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzNest<ipvs::DestinationRecord, ipvs::decodeDestination>(data, size);
  return 0;
}
