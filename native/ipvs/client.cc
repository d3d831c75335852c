#include "ipvs/client.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "ipvs/decode.h"
#include "netlink/attribute.h"
#include "netlink/family.h"

namespace ipvs {

using netlink::ByteView;
using netlink::Ending;
using netlink::ExchangeResult;
using netlink::Transaction;

namespace {

// The most an answer takes of the receive buffer. Measured: 770-900 bytes for a refusal, 1,280 with a long
// text. An answer with one record takes a page including its bookkeeping.
constexpr std::size_t refusalCost = 1'280;
constexpr std::size_t recordCost = 5 * 1'024;

// The kernel reserves 32 bytes of SO_SNDBUF.
constexpr std::size_t sendOverhead = 32;

// This many destinations fill four datagrams of the transport for short dumps.
constexpr std::uint32_t shortDump = 40;

// Larger sends gain nothing and no longer fit the processor's cache.
constexpr std::size_t usefulSend = 512 * 1024;

// A series with fewer dumps than this costs more than it saves. After such a series this many dumps are
// requested one at a time.
constexpr std::uint32_t worthwhileSeries = 4;
constexpr unsigned dumpsAfterShortSeries = 64;

// How many batches with lost answers are remembered. A few are enough: only calls that the program makes
// between the parts of a batch can separate them.
constexpr std::size_t mostLosses = 64;

// Receives and drops what is left of a conversation that did not go as expected.
void drain(netlink::Transport& transport) {
  for (;;) {
    netlink::Datagrams datagrams;
    int error = transport.receive(datagrams, true);
    if (error && error != -EINTR && error != -ENOBUFS && error != -EMSGSIZE) return;
  }
}

}  // namespace

std::size_t Limits::requestsPerSend() const { return std::max<std::size_t>(receiveBuffer / refusalCost, 1); }

std::size_t Limits::bytesPerSend() const {
  std::size_t most = sendBuffer > sendOverhead ? sendBuffer - sendOverhead : 0;
  return std::clamp(most, longestRequest, usefulSend);
}

/// Requests that travel in one send.
struct Client::Group {
  std::uint32_t first;  // index of the first one in the batch
  std::uint32_t count;
  std::uint32_t firstSequence;
  Ending ending;
  bool longDump;  // a single dump, on the transport for long dumps
};

/// Writes the outcomes and records of a group into the reply.
class AnswerListener final : public netlink::Listener {
 public:
  AnswerListener(ReplyWriter& reply, const Client::Group& group, const std::vector<Answer>& answers)
      : reply_(reply), group_(group), answers_(answers) {}

  void refused(std::uint32_t request, int error, std::string_view text) override {
    reply_.setOutcome(group_.first + request, error, text);
  }

  void received(std::uint32_t request, const netlink::Message& message) override {
    std::uint32_t index = group_.first + request;
    ByteView attributes = netlink::attributesOf(message);
    switch (answers_[request]) {
      case Answer::none:
        break;
      case Answer::service:
        add<ServiceRecord, decodeService>(index, nested(attributes, IPVS_CMD_ATTR_SERVICE));
        break;
      case Answer::destination:
        add<DestinationRecord, decodeDestination>(index, nested(attributes, IPVS_CMD_ATTR_DEST));
        break;
      case Answer::daemon:
        add<DaemonRecord, decodeDaemon>(index, nested(attributes, IPVS_CMD_ATTR_DAEMON));
        break;
      case Answer::config:
        // Has no attributes if the kernel was built without TCP and UDP balancing.
        add<ConfigRecord, decodeConfig>(index, attributes, true);
        break;
      case Answer::info:
        add<InfoRecord, decodeInfo>(index, attributes);
        break;
    }
  }

 private:
  static ByteView nested(ByteView attributes, std::uint16_t type) {
    ByteView nest;
    netlink::forEachAttribute(attributes, [&](netlink::Attribute attribute) {
      if (attribute.type == type) nest = attribute.payload;
    });
    return nest;
  }

  template <class Record, void (*decode)(ByteView, Record&)>
  void add(std::uint32_t index, ByteView attributes, bool mayBeEmpty = false) {
    if (reply_.outcome(index) != Outcome::done) return;
    // An answer without its nest has no content.
    bool told = mayBeEmpty || !attributes.empty();
    // The address is aligned: sizes of header, entries and records are multiples of 8, and the buffer is
    // malloc's.
    auto record = told ? reinterpret_cast<Record*>(reply_.addRecord(index, sizeof(Record))) : nullptr;
    if (record) {
      decode(attributes, *record);
    } else {
      // Reports the list as lost rather than return it with an entry missing.
      reply_.setLost(index, Outcome::unknown, -EBADMSG);
    }
  }

  ReplyWriter& reply_;
  const Client::Group& group_;
  const std::vector<Answer>& answers_;
};

bool Client::open(OpenFailure& failure, const std::atomic<bool>& abandon) {
  netlink::FamilyAnswer answer = resolveFamily(transport_, IPVS_GENL_NAME, sequence_++, abandon);
  if (answer.error) {
    failure = {OpenStep::family, answer.error, answer.text};
    return false;
  }
  family_ = answer.number;

  std::byte packed[sizeof(RequestHeader)];
  netlink::store(packed, RequestHeader{sizeof packed, IPVS_CMD_GET_INFO, 0, 0});
  ReplyWriter reply;
  execute(packed, 1, reply, abandon);
  int outcome = reply.outcome(0);
  if (outcome == Outcome::done) return true;
  std::string text;
  ReplyEntry entry = netlink::load<ReplyEntry>(reply.bytes().data() + sizeof(ReplyHeader));
  if (entry.text) text = reinterpret_cast<const char*>(reply.bytes().data() + entry.text);
  failure = {outcome == -EPERM ? OpenStep::permission : OpenStep::family, outcome < 0 ? outcome : -EIO,
             std::move(text)};
  return false;
}

// Chooses the transport for a dump. Large datagrams halve the time of a long dump, small ones that of a short
// dump, but only the kernel knows the length beforehand. The guess: services are many, and a service has
// about as many destinations as the one before it.
bool Client::isLong(const PackedRequest& dump) const {
  if (!shortDumpsFit_) return true;
  return dump.command->answer == Answer::service ||
         (dump.command->answer == Answer::destination && !lastDumpWasShort_);
}

// Encodes the requests of one send: as many as the limits allow, up to and including the first dump. Returns
// false at a malformed request.
bool Client::encodeGroup(RequestReader& reader, Group& group, std::size_t mostRequests,
                         std::size_t mostBytes) {
  group = {reader.index(), 0, sequence_, Ending::acknowledgement, false};
  message_.clear();
  message_.reserve(mostBytes + longestRequest);
  answers_.clear();
  std::byte* last = message_.data();
  std::byte* end = last;
  std::size_t answerBytes = 0;
  std::size_t mostAnswerBytes = mostRequests * refusalCost;
  bool wellFormed = true;
  while (group.ending != Ending::dump) {
    RequestReader::Position position = reader.position();
    PackedRequest request;
    auto state = reader.next(request);
    if (state == RequestReader::State::malformed) wellFormed = false;
    if (state != RequestReader::State::request) break;
    bool longDump = request.dump && isLong(request);
    if (longDump && group.count > 0) {
      reader.rewind(position);
      break;
    }
    group.longDump = longDump;
    std::byte* next = encodeRequest(end, request, family_, sequence_ + group.count);
    // A dump's answers are read while the kernel makes them, so they need no reserved room.
    answerBytes += request.command->answer == Answer::none || request.dump ? refusalCost : recordCost;
    bool fits =
        static_cast<std::size_t>(next - message_.data()) <= mostBytes && answerBytes <= mostAnswerBytes;
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
  sequence_ += group.count;
  return wellFormed;
}

// Executes the next dumps of destinations as a series, because two system calls per dump are most of a
// snapshot's cost. Leaves the reader at the first request that it did not execute. Returns whether it
// executed any.
bool Client::executeSeries(RequestReader& reader, ReplyWriter& reply) {
  std::array<RequestReader::Position, netlink::Transport::mostInSeries> positions;
  std::array<ByteView, netlink::Transport::mostInSeries> requests;
  std::array<netlink::ShortAnswer, netlink::Transport::mostInSeries> answers;
  std::uint32_t first = reader.index();
  std::uint32_t count = 0;
  message_.clear();
  message_.reserve(requests.size() * longestRequest);
  std::byte* end = message_.data();
  while (count < requests.size()) {
    RequestReader::Position position = reader.position();
    PackedRequest request;
    bool suits = reader.next(request) == RequestReader::State::request && request.dump &&
                 request.command->answer == Answer::destination;
    if (!suits) {
      reader.rewind(position);
      break;
    }
    std::byte* begin = end;
    end = encodeRequest(begin, request, family_, sequence_ + count);
    requests[count] = {begin, end};
    positions[count++] = position;
  }
  if (count == 0) return false;
  int answered = count == 1 ? 0 : dumps_.dumpSeries({requests.data(), count}, answers.data());
  std::uint32_t executed = 0;
  if (count > 1 && answered >= 0) {
    answers_.assign(1, Answer::destination);
    for (; executed < static_cast<std::uint32_t>(answered); ++executed) {
      Group group{first + executed, 1, sequence_ + executed, Ending::dump, true};
      Transaction transaction(group.firstSequence, 1, Ending::dump);
      AnswerListener listener(reply, group, answers_);
      const netlink::ShortAnswer& answer = answers[executed];
      bool sound = transaction.take(answer.objects, listener) && transaction.take(answer.end, listener);
      if (!sound || !transaction.complete() || reply.outcome(group.first) != Outcome::done) {
        reply.forget(group.first);
        break;
      }
      reply.expectRecords(group.first);
      lastDumpWasShort_ = reply.recordCount(group.first) <= shortDump;
    }
    sequence_ += count;
    if (executed < count) {
      drain(dumps_);
      dumpsUntilSeries_ = executed < worthwhileSeries ? dumpsAfterShortSeries : 1;
    }
  }
  series_ = answered >= 0;
  if (executed < count) reader.rewind(positions[executed]);
  return executed > 0;
}

// Looks the family up again and returns whether its number has changed, which happens when the module is
// unloaded and loaded again.
bool Client::familyMoved(const std::atomic<bool>& abandon) {
  netlink::FamilyAnswer answer = resolveFamily(transport_, IPVS_GENL_NAME, sequence_++, abandon);
  if (answer.error || answer.number == family_) return false;
  family_ = answer.number;
  return true;
}

// The error with which an earlier part of this batch was lost; 0 if none was.
int Client::lossOf(std::uint32_t batch) const {
  for (const Loss& loss : losses_)
    if (loss.batch == batch) return loss.error;
  return 0;
}

void Client::noteLoss(std::uint32_t batch, int error) {
  if (batch == 0 || lossOf(batch)) return;
  if (losses_.size() == mostLosses) losses_.erase(losses_.begin());
  losses_.push_back({batch, error});
}

void Client::execute(ByteView requests, std::uint32_t count, ReplyWriter& reply,
                     const std::atomic<bool>& abandon, std::uint32_t batch) {
  reply.begin(count);
  RequestReader reader(requests, count);
  std::size_t mostRequests = limits_.requestsPerSend();
  std::size_t mostBytes = limits_.bytesPerSend();
  std::uint32_t unsent = 0;
  int lost = lossOf(batch);
  while (!lost && reader.index() < count && !abandon.load(std::memory_order_relaxed)) {
    if (series_ && dumpsUntilSeries_ == 0 && executeSeries(reader, reply)) continue;
    RequestReader::Position position = reader.position();
    Group group;
    bool wellFormed = encodeGroup(reader, group, mostRequests, mostBytes);
    if (group.count > 0) {
      Transaction transaction(group.firstSequence, group.count, group.ending);
      AnswerListener listener(reply, group, answers_);
      netlink::Transport& transport = group.longDump ? dumps_ : transport_;
      ExchangeResult result = exchange(transport, message_.view(), transaction, listener, abandon);

      if (result.state == ExchangeResult::notSent) {
        reader.rewind(position);
        // The message exceeds the send buffer or the kernel's memory. Nothing was sent, so try a smaller one.
        bool tooLarge = result.error == -EMSGSIZE || result.error == -ENOBUFS || result.error == -ENOMEM;
        if (!tooLarge || group.count == 1) {
          // Of a send, ENOBUFS means that the kernel has no memory for the message; elsewhere it is an
          // overrun.
          lost = result.error == -ENOBUFS ? -ENOMEM : result.error;
          break;
        }
        mostRequests = std::max<std::size_t>(group.count / 2, 1);
        mostBytes = std::max(message_.size() / 2, longestRequest);
        continue;
      }

      std::uint32_t last = group.first + group.count - 1;
      if (result.state == ExchangeResult::lost) {
        // A dump changes nothing, so it is safe to repeat.
        if (result.error == -EMSGSIZE && group.ending == Ending::dump && group.count == 1 &&
            !group.longDump) {
          shortDumpsFit_ = false;
          reply.forget(last);
          reader.rewind(position);
          continue;
        }
        lost = result.error;
        for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
          if (reply.outcome(i) == Outcome::done) reply.setLost(i, Outcome::unknown, lost);
        }
        // Later requests may depend on the ones with unknown outcome.
        break;
      }

      if (transaction.notFound() == group.count && familyMoved(abandon)) {
        for (std::uint32_t i = group.first; i < group.first + group.count; ++i) reply.forget(i);
        reader.rewind(position);
        continue;
      }

      if (group.ending == Ending::dump && dumpsUntilSeries_ > 0) --dumpsUntilSeries_;
      if (group.ending == Ending::dump && reply.outcome(last) == Outcome::done) {
        // An empty dump is an answer too.
        reply.expectRecords(last);
        if (answers_.back() == Answer::destination) lastDumpWasShort_ = reply.recordCount(last) <= shortDump;
      }
    }
    if (!wellFormed) {
      reply.setOutcome(reader.index(), -EBADMSG);
      unsent = reader.index() + 1;
      break;
    }
  }
  for (std::uint32_t i = std::max(unsent, reader.index()); i < count; ++i)
    reply.setLost(i, Outcome::notSent, lost);
  if (lost) noteLoss(batch, lost);
  reply.finish();
}

}  // namespace ipvs
