#include "netlink/transaction.h"

#include <cerrno>

#include "netlink/attribute.h"

namespace netlink {

namespace {

// NLM_F_ACK_TLVS and NLM_F_CAPPED have these meanings only in NLMSG_ERROR and NLMSG_DONE: requests use the
// same bits for other flags.
std::string_view extendedText(const Message& message, std::size_t begin) {
  if (!(message.header.nlmsg_flags & NLM_F_ACK_TLVS) || begin > message.payload.size()) return {};
  std::string_view text;
  forEachAttribute(message.payload.subspan(begin), [&](Attribute attribute) {
    if (attribute.type == NLMSGERR_ATTR_MSG) text = textOf(attribute.payload);
  });
  return text;
}

// NLMSG_ERROR: { i32 error | the request's header | the request's payload unless capped | attributes }
std::string_view refusalText(const Message& message) {
  if (message.payload.size() < sizeof(nlmsgerr)) return {};
  std::size_t begin = sizeof(nlmsgerr);
  if (!(message.header.nlmsg_flags & NLM_F_CAPPED)) {
    std::size_t request = load<nlmsgerr>(message.payload.data()).msg.nlmsg_len;
    if (request < NLMSG_HDRLEN || request > message.payload.size()) return {};
    begin += alignUp(request - NLMSG_HDRLEN, NLMSG_ALIGNTO);
  }
  return extendedText(message, begin);
}

}  // namespace

bool Transaction::take(ByteView datagram, Listener& listener) {
  bool whole = forEachMessage(datagram, [&](const Message& message) { takeMessage(message, listener); });
  return whole && !malformed_;
}

void Transaction::takeMessage(const Message& message, Listener& listener) {
  // Unsigned subtraction stays correct when sequence numbers wrap.
  std::uint32_t request = message.header.nlmsg_seq - first_;
  if (request >= count_ || complete_) return;
  bool last = request == count_ - 1;
  switch (message.header.nlmsg_type) {
    case NLMSG_NOOP:
      return;
    case NLMSG_ERROR:
    case NLMSG_DONE: {
      bool done = message.header.nlmsg_type == NLMSG_DONE;
      if (message.payload.size() < sizeof(std::int32_t)) {
        // An empty NLMSG_DONE ends a dump successfully. NLMSG_ERROR must carry an error.
        if (done) complete_ = complete_ || last;
        malformed_ = malformed_ || !done;
        return;
      }
      std::int32_t error = load<std::int32_t>(message.payload.data());
      // Positive values in NLMSG_DONE are not errors.
      if (error < 0) {
        if (error == -ENOENT) ++notFound_;
        listener.refused(request, error, done ? extendedText(message, sizeof error) : refusalText(message));
      } else if (error > 0 && !done) {
        malformed_ = true;
        return;
      }
      complete_ = complete_ || last;
      return;
    }
    default:
      if (message.header.nlmsg_type < NLMSG_MIN_TYPE) return;
      listener.received(request, message);
      if (last && ending_ == Ending::message) complete_ = true;
  }
}

}  // namespace netlink
