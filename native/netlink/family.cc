#include "netlink/family.h"

#include <cerrno>

#include "netlink/attribute.h"
#include "netlink/exchange.h"

namespace netlink {

std::uint16_t readFamilyNumber(ByteView attributes) {
  std::uint16_t number = 0;
  forEachAttribute(attributes, [&](Attribute attribute) {
    if (attribute.type == CTRL_ATTR_FAMILY_ID && attribute.payload.size() >= sizeof number) {
      number = load<std::uint16_t>(attribute.payload.data());
    }
  });
  return number;
}

FamilyAnswer resolveFamily(Transport& transport, std::string_view name, std::uint32_t sequence,
                           const std::atomic<bool>& abandon) {
  struct : Listener {
    void refused(std::uint32_t, int error, std::string_view text) override {
      answer = {error, 0, std::string(text)};
    }
    void received(std::uint32_t, const Message& message) override {
      answer.number = readFamilyNumber(attributesOf(message));
      answer.error = answer.number ? 0 : -EBADMSG;
    }
    FamilyAnswer answer{-EBADMSG, 0, {}};
  } listener;

  std::byte request[genericHeaderLength + NLA_HDRLEN + GENL_NAMSIZ];
  if (name.size() >= GENL_NAMSIZ) return {-ENAMETOOLONG, 0, {}};
  std::byte* end = putHeader(request, GENL_ID_CTRL, 0, sequence, CTRL_CMD_GETFAMILY, 1);
  end = putText(end, CTRL_ATTR_FAMILY_NAME, name);
  setLength(request, end);

  Transaction transaction(sequence, 1, Ending::message);
  ExchangeResult result =
      exchange(transport, {request, static_cast<std::size_t>(end - request)}, transaction, listener, abandon);
  if (result.error) return {result.error, 0, {}};
  return listener.answer;
}

}  // namespace netlink
