#include "ipvs/group.h"

#include <algorithm>

namespace ipvs {

using netlink::Ending;

namespace {

// The most an answer takes of the receive buffer. Measured: 770-900 bytes for a refusal, 1,280 with a long
// text. An answer with one record takes a page including its bookkeeping.
constexpr std::size_t refusalCost = 1'280;
constexpr std::size_t recordCost = 5 * 1'024;

// The kernel reserves 32 bytes of SO_SNDBUF.
constexpr std::size_t sendOverhead = 32;

// Larger sends gain nothing and no longer fit the processor's cache.
constexpr std::size_t usefulSend = 512 * 1024;

}  // namespace

std::size_t Limits::requestsPerSend() const { return std::max<std::size_t>(receiveBuffer / refusalCost, 1); }

std::size_t Limits::bytesPerSend() const {
  std::size_t most = sendBuffer > sendOverhead ? sendBuffer - sendOverhead : 0;
  return std::clamp(most, longestRequest, usefulSend);
}

void GroupEncoder::begin() {
  mostRequests_ = limits_.requestsPerSend();
  mostBytes_ = limits_.bytesPerSend();
}

bool GroupEncoder::halve() {
  if (group_.count == 1) return false;
  mostRequests_ = std::max<std::size_t>(group_.count / 2, 1);
  mostBytes_ = std::max(message_.size() / 2, longestRequest);
  return true;
}

bool GroupEncoder::encode(RequestReader& reader, const Routes& routes, std::uint16_t family,
                          std::uint32_t sequence) {
  Group group{reader.index(), 0, sequence, Ending::acknowledgement, false};
  message_.clear();
  message_.reserve(mostBytes_ + longestRequest);
  answers_.clear();
  std::byte* last = message_.data();
  std::byte* end = last;
  std::size_t answerBytes = 0;
  std::size_t mostAnswerBytes = mostRequests_ * refusalCost;
  bool wellFormed = true;
  while (group.ending != Ending::dump) {
    RequestReader::Position position = reader.position();
    PackedRequest request;
    auto state = reader.next(request);
    if (state == RequestReader::State::malformed) wellFormed = false;
    if (state != RequestReader::State::request) break;
    bool longDump = request.dump && routes.isLong(request);
    if (longDump && group.count > 0) {
      reader.rewind(position);
      break;
    }
    group.longDump = longDump;
    std::byte* next = encodeRequest(end, request, family, sequence + group.count);
    // A dump's answers are read while the kernel makes them, so they need no reserved room.
    answerBytes += request.command->answer == Answer::none || request.dump ? refusalCost : recordCost;
    bool fits =
        static_cast<std::size_t>(next - message_.data()) <= mostBytes_ && answerBytes <= mostAnswerBytes;
    if (!fits && group.count > 0) {
      reader.rewind(position);
      break;
    }
    last = end;
    end = next;
    answers_.push_back(request.command->answer);
    ++group.count;
    group.ending = request.dump                              ? Ending::dump
                   : request.command->answer != Answer::none ? Ending::message
                                                             : Ending::acknowledgement;
  }
  if (group.count > 0 && group.ending == Ending::acknowledgement) netlink::addFlags(last, NLM_F_ACK);
  message_.resize(static_cast<std::size_t>(end - message_.data()));
  group_ = group;
  return wellFormed;
}

}  // namespace ipvs
