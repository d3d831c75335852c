#include "ipvs/client.h"

#include <algorithm>
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

// How many batches with lost answers are remembered. A few are enough: only calls that the program makes
// between the parts of a batch can separate them.
constexpr std::size_t mostLosses = 64;

/// Writes the outcomes and records of a group into the reply.
class AnswerListener final : public netlink::Listener {
 public:
  AnswerListener(ReplyWriter& reply, const Group& group, const std::vector<Answer>& answers)
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
  const Group& group_;
  const std::vector<Answer>& answers_;
};

}  // namespace

bool Client::open(OpenFailure& failure, const std::atomic<bool>& abandon) {
  netlink::FamilyAnswer answer = resolveFamily(routes_.requests(), IPVS_GENL_NAME, sequence_++, abandon);
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

// Looks the family up again and returns whether its number has changed, which happens when the module is
// unloaded and loaded again.
bool Client::familyMoved(const std::atomic<bool>& abandon) {
  netlink::FamilyAnswer answer = resolveFamily(routes_.requests(), IPVS_GENL_NAME, sequence_++, abandon);
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

// Sends the group that was encoded last. Sets `lost` to the cause if the batch ends here.
Client::Attempt Client::sendGroup(ReplyWriter& reply, const std::atomic<bool>& abandon, int& lost) {
  const Group& group = groups_.group();
  Transaction transaction(group.firstSequence, group.count, group.ending);
  AnswerListener listener(reply, group, groups_.answers());
  netlink::Transport& transport = group.longDump ? routes_.dumps() : routes_.requests();
  ExchangeResult result = exchange(transport, groups_.message(), transaction, listener, abandon);

  if (result.state == ExchangeResult::notSent) {
    // The message exceeds the send buffer or the kernel's memory. Nothing was sent, so try a smaller one.
    bool tooLarge = result.error == -EMSGSIZE || result.error == -ENOBUFS || result.error == -ENOMEM;
    if (tooLarge && groups_.halve()) return Attempt::repeat;
    // Of a send, ENOBUFS means that the kernel has no memory for the message; elsewhere it is an overrun.
    lost = result.error == -ENOBUFS ? -ENOMEM : result.error;
    return Attempt::notSent;
  }

  std::uint32_t end = group.first + group.count;
  if (result.state == ExchangeResult::lost) {
    // A dump changes nothing, so it is safe to repeat.
    bool shortDump = group.ending == Ending::dump && group.count == 1 && !group.longDump;
    if (shortDump && result.error == -EMSGSIZE) {
      routes_.noteTruncation();
      reply.forget(group.first);
      return Attempt::repeat;
    }
    lost = result.error;
    for (std::uint32_t i = group.first; i < end; ++i) {
      if (reply.outcome(i) == Outcome::done) reply.setLost(i, Outcome::unknown, lost);
    }
    return Attempt::lost;
  }

  if (transaction.notFound() == group.count && familyMoved(abandon)) {
    for (std::uint32_t i = group.first; i < end; ++i) reply.forget(i);
    return Attempt::repeat;
  }

  if (group.ending == Ending::dump && reply.outcome(end - 1) == Outcome::done) {
    // An empty dump is an answer too.
    reply.expectRecords(end - 1);
    routes_.note(groups_.answers().back(), reply.recordCount(end - 1));
  }
  return Attempt::answered;
}

void Client::execute(ByteView requests, std::uint32_t count, ReplyWriter& reply,
                     const std::atomic<bool>& abandon, std::uint32_t batch) {
  reply.begin(count);
  groups_.begin();
  RequestReader reader(requests, count);
  std::uint32_t unsent = 0;
  int lost = lossOf(batch);
  while (!lost && reader.index() < count && !abandon.load(std::memory_order_relaxed)) {
    RequestReader::Position position = reader.position();
    bool wellFormed = groups_.encode(reader, routes_, family_, sequence_);
    sequence_ += groups_.group().count;
    if (groups_.group().count > 0) {
      Attempt attempt = sendGroup(reply, abandon, lost);
      if (attempt == Attempt::repeat || attempt == Attempt::notSent) reader.rewind(position);
      if (attempt == Attempt::repeat) continue;
      if (attempt != Attempt::answered) break;
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
