// Any bytes as the attributes that answer a family's look-up.
#include "netlink/family.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  netlink::readFamilyNumber({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
