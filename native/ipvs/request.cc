#include "ipvs/request.h"

#include "ipvs/encode.h"
#include "netlink/message.h"

namespace ipvs {

namespace {

using netlink::ByteView;

// The fields of most requests: a service by address, a destination with its family and without tunnel
// options.
constexpr std::uint32_t addressKey = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4;
constexpr std::uint32_t plainDestination = 0b111'1111;

bool fits(const Command& command, std::size_t size) {
  bool service = size == ServiceRecord::keySize || size == ServiceRecord::requestSize;
  switch (command.body) {
    case Body::none:
      return size == 0;
    case Body::service:
      return service || (command.bodyOptional && size == 0);
    case Body::serviceAndDestination:
      return size == ServiceRecord::keySize + DestinationRecord::requestSize;
    case Body::daemon:
      return size == DaemonRecord::requestSize;
    case Body::config:
      return size == ConfigRecord::requestSize;
  }
  return false;
}

}  // namespace

RequestReader::State RequestReader::next(PackedRequest& request) {
  if (index_ == count_) return State::end;
  std::size_t left = packed_.size() - offset_;
  if (left < sizeof(RequestHeader)) return State::malformed;
  auto header = netlink::load<RequestHeader>(packed_.data() + offset_);
  if (header.size < sizeof header || header.size % 8 != 0 || header.size > left) return State::malformed;
  const Command* command = commandOf(header.command);
  if (!command || !fits(*command, header.size - sizeof header)) return State::malformed;
  bool dump =
      command->asking == Asking::dump || (command->asking == Asking::both && header.flags & requestDump);
  request = {command, dump, packed_.subspan(offset_ + sizeof header, header.size - sizeof header)};
  offset_ += header.size;
  ++index_;
  return State::request;
}

std::byte* encodeRequest(std::byte* out, const PackedRequest& request, std::uint16_t family,
                         std::uint32_t sequence) {
  std::uint16_t flags = request.dump ? NLM_F_DUMP : 0;
  std::byte* end =
      netlink::putHeader(out, family, flags, sequence, request.command->number, IPVS_GENL_VERSION);
  const std::byte* body = request.body.data();
  std::size_t size = request.body.size();
  switch (request.command->body) {
    case Body::none:
      break;
    case Body::service:
      if (size) end = encode<serviceNest>(end, body, size);
      break;
    case Body::serviceAndDestination:
      end = encode<serviceNest, addressKey>(end, body, ServiceRecord::keySize);
      end = encode<destinationNest, plainDestination>(end, body + ServiceRecord::keySize,
                                                      DestinationRecord::requestSize);
      break;
    case Body::daemon:
      end = encode<daemonNest>(end, body, size);
      break;
    case Body::config:
      end = encode<configNest>(end, body, size);
      break;
  }
  netlink::setLength(out, end);
  return end;
}

}  // namespace ipvs
