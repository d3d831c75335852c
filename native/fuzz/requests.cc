// Any bytes as packed requests, which are read and encoded as netlink messages.
#include <cstdlib>
#include <cstring>

#include "ipvs/request.h"
#include "netlink/attribute.h"
#include "netlink/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  netlink::ByteView packed(reinterpret_cast<const std::byte*>(data), size);
  ipvs::RequestReader reader(packed, 64);
  ipvs::PackedRequest request;
  while (reader.next(request) == ipvs::RequestReader::State::request) {
    std::byte out[ipvs::longestRequest];
    std::byte* end = ipvs::encodeRequest(out, request, 0x23, reader.index());
    if (end > out + sizeof out) std::abort();
    // The netlink side must read back what was written: one message with whole attributes.
    std::size_t length = static_cast<std::size_t>(end - out);
    int messages = 0;
    bool whole = netlink::forEachMessage({out, length}, [&](const netlink::Message& message) {
      ++messages;
      if (message.header.nlmsg_seq != reader.index()) std::abort();
      bool nests =
          netlink::forEachAttribute(netlink::attributesOf(message), [](netlink::Attribute attribute) {
            if (attribute.type <= IPVS_CMD_ATTR_DAEMON &&
                !netlink::forEachAttribute(attribute.payload, [](netlink::Attribute) {}))
              std::abort();
          });
      if (!nests) std::abort();
    });
    if (!whole || messages != 1) std::abort();
  }
  return 0;
}
