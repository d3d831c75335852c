// Any bytes as netlink attributes.
#include <cstdlib>

#include "netlink/attribute.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  netlink::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  std::size_t covered = 0;
  bool whole = netlink::forEachAttribute(bytes, [&](netlink::Attribute attribute) {
    covered += NLA_HDRLEN + attribute.payload.size();
    if (attribute.type & ~NLA_TYPE_MASK) std::abort();
    if (netlink::textOf(attribute.payload).size() > attribute.payload.size()) std::abort();
    netlink::forEachAttribute(attribute.payload, [](netlink::Attribute) {});
  });
  if (covered > size || (whole && size && covered == 0)) std::abort();
  return 0;
}
