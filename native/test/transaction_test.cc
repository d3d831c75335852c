#include "netlink/transaction.h"

#include "check.h"
#include "netlink/exchange.h"
#include "script.h"

using namespace netlink;
using script::answer, script::Built, script::dumpEnd;

namespace {

const std::atomic<bool> goOn = false;

struct Notes final : Listener {
  std::string text;
  void refused(std::uint32_t request, int error, std::string_view words) override {
    text += "refused " + std::to_string(request) + " " + std::to_string(error) +
            (words.empty() ? "" : " '" + std::string(words) + "'") + "; ";
  }
  void received(std::uint32_t request, const Message& message) override {
    text += "received " + std::to_string(request) + " " + std::to_string(message.payload.size()) + " bytes; ";
  }
};

std::vector<std::byte> join(std::initializer_list<Built> messages) {
  std::vector<std::byte> all;
  for (const Built& message : messages) all.insert(all.end(), message.bytes().begin(), message.bytes().end());
  return all;
}

}  // namespace

TEST("a group is complete with its last acknowledgement, and silence means done") {
  Notes notes;
  Transaction transaction(100, 3, Ending::acknowledgement);
  CHECK(transaction.take(answer(102, 0), notes));
  CHECK(transaction.complete());
  CHECK_EQUAL(notes.text, "");
}

TEST("refusals land on their own requests, by sequence number") {
  Notes notes;
  Transaction transaction(100, 4, Ending::acknowledgement);
  CHECK(transaction.take(join({answer(100, -EEXIST), answer(102, -ENOENT)}), notes));
  CHECK(!transaction.complete());
  CHECK(transaction.take(answer(103, -ESRCH, "no such thing"), notes));
  CHECK(transaction.complete());
  CHECK_EQUAL(notes.text, "refused 0 -17; refused 2 -2; refused 3 -3 'no such thing'; ");
  CHECK_EQUAL(transaction.notFound(), 1u);
}

TEST("the kernel's words are found behind a refused request that is sent back whole") {
  Notes notes;
  Built message(NLMSG_ERROR, NLM_F_ACK_TLVS, 7);
  nlmsgerr payload{-EINVAL, {NLMSG_HDRLEN + 6, 0, 0, 7, 0}};
  message.append(&payload, sizeof payload).append("sixsix", 6);
  message.attribute(NLMSGERR_ATTR_OFFS, check::bytes("14 00 00 00"));
  message.attribute(NLMSGERR_ATTR_MSG, check::bytes("77 6f 72 64 73 00"));
  Transaction transaction(7, 1, Ending::acknowledgement);
  CHECK(transaction.take(message, notes));
  CHECK_EQUAL(notes.text, "refused 0 -22 'words'; ");
}

TEST("a length inside a refusal that points beyond it costs the words only") {
  Notes notes;
  Built message(NLMSG_ERROR, NLM_F_ACK_TLVS, 7);
  nlmsgerr payload{-EINVAL, {0xfffffff0, 0, 0, 7, 0}};
  message.append(&payload, sizeof payload);
  Transaction transaction(7, 1, Ending::acknowledgement);
  CHECK(transaction.take(message, notes));
  CHECK_EQUAL(notes.text, "refused 0 -22; ");
}

TEST("answers to an earlier send are passed over") {
  Notes notes;
  Transaction transaction(100, 2, Ending::acknowledgement);
  CHECK(transaction.take(join({answer(99, -EEXIST), answer(102, -EEXIST)}), notes));
  CHECK(!transaction.complete());
  CHECK_EQUAL(notes.text, "");
}

TEST("sequence numbers wrap within a group") {
  Notes notes;
  Transaction transaction(0xffffffff, 3, Ending::acknowledgement);
  CHECK(transaction.take(join({answer(0, -EEXIST), answer(1, 0)}), notes));
  CHECK(transaction.complete());
  CHECK_EQUAL(notes.text, "refused 1 -17; ");
}

TEST("a dump ends with NLMSG_DONE, whose error is a refusal") {
  Notes notes;
  Transaction whole(5, 1, Ending::dump);
  CHECK(whole.take(join({Built(30, NLM_F_MULTI, 5).append("abcd", 4), Built(30, NLM_F_MULTI, 5), dumpEnd(5)}),
                   notes));
  CHECK(whole.complete());
  Transaction broken(6, 1, Ending::dump);
  CHECK(broken.take(dumpEnd(6, -EMSGSIZE), notes));
  CHECK(broken.complete());
  Transaction empty(7, 1, Ending::dump);
  CHECK(empty.take(Built(NLMSG_DONE, NLM_F_MULTI, 7), notes));
  CHECK(empty.complete());
  CHECK_EQUAL(notes.text, "received 0 4 bytes; received 0 0 bytes; refused 0 -90; ");
}

TEST("a request that asks for one message is complete with it") {
  Notes notes;
  Transaction transaction(5, 1, Ending::message);
  CHECK(transaction.take(Built(30, 0, 5).append("abcd", 4), notes));
  CHECK(transaction.complete());
  CHECK_EQUAL(notes.text, "received 0 4 bytes; ");
}

TEST("control messages without meaning are passed over") {
  Notes notes;
  Transaction transaction(5, 1, Ending::message);
  CHECK(transaction.take(join({Built(NLMSG_NOOP, 0, 5), Built(NLMSG_OVERRUN, 0, 5)}), notes));
  CHECK(!transaction.complete());
  CHECK_EQUAL(notes.text, "");
}

TEST("an answer cut anywhere is never complete, and is said to be cut") {
  std::vector<std::byte> whole = join({answer(100, -EEXIST, "words"), answer(101, 0)});
  std::size_t second = answer(100, -EEXIST, "words").bytes().size();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    Notes notes;
    Transaction transaction(100, 2, Ending::acknowledgement);
    check::Exact cut(ByteView(whole).first(length));
    CHECK_EQUAL(transaction.take(cut.view(), notes), length == 0 || length == second);
    CHECK(!transaction.complete());
  }
}

TEST("an error message that has no error, or a positive one, is not believed") {
  Notes notes;
  Transaction transaction(5, 1, Ending::acknowledgement);
  CHECK(!transaction.take(Built(NLMSG_ERROR, 0, 5), notes));
  CHECK(!transaction.complete());
  Transaction positive(5, 1, Ending::acknowledgement);
  CHECK(!positive.take(answer(5, 17), notes));
  CHECK(!positive.complete());
}

TEST("an exchange is one send and one receive") {
  script::Transport transport;
  transport.queue(answer(1, 0));
  Notes notes;
  Transaction transaction(1, 1, Ending::acknowledgement);
  CHECK_EQUAL(exchange(transport, Built(30, 0, 1), transaction, notes, goOn).state, ExchangeResult::answered);
  CHECK_EQUAL(transport.sent.size(), 1u);
  CHECK_EQUAL(transport.receives, 1);
  CHECK_EQUAL(transport.waits, 0);
}

TEST("a failed send has sent nothing") {
  script::Transport transport;
  transport.onSend = [](auto&) { return -EMSGSIZE; };
  Notes notes;
  Transaction transaction(1, 1, Ending::acknowledgement);
  ExchangeResult result = exchange(transport, Built(30, 0, 1), transaction, notes, goOn);
  CHECK_EQUAL(result.state, ExchangeResult::notSent);
  CHECK_EQUAL(result.error, -EMSGSIZE);
}

TEST("after an overrun the answers that are left are still read, up to the last one there is") {
  script::Transport transport;
  transport.fail(-ENOBUFS);
  transport.queue(answer(1, -EEXIST));
  transport.queue(answer(2, -ESRCH));
  Notes notes;
  Transaction transaction(1, 5, Ending::acknowledgement);
  ExchangeResult result = exchange(transport, Built(30, 0, 1), transaction, notes, goOn);
  CHECK_EQUAL(result.state, ExchangeResult::lost);
  CHECK_EQUAL(result.error, -ENOBUFS);
  CHECK_EQUAL(notes.text, "refused 0 -17; refused 1 -3; ");
  CHECK_EQUAL(transport.waits, 0);
}

TEST("an answer that never comes is lost after a time") {
  script::Transport transport;
  Notes notes;
  Transaction transaction(1, 1, Ending::message);
  ExchangeResult result = exchange(transport, Built(30, 0, 1), transaction, notes, goOn);
  CHECK_EQUAL(result.state, ExchangeResult::lost);
  CHECK_EQUAL(result.error, -ETIMEDOUT);
  CHECK_EQUAL(transport.waits, 1);
}

TEST(
    "a request that the kernel carries out without an acknowledgement, as it does after EINTR, is not waited "
    "for") {
  script::Transport transport;
  transport.queue(answer(1, -EEXIST));
  Notes notes;
  Transaction transaction(1, 2, Ending::acknowledgement);
  CHECK_EQUAL(exchange(transport, Built(30, 0, 1), transaction, notes, goOn).state, ExchangeResult::answered);
  CHECK_EQUAL(notes.text, "refused 0 -17; ");
  CHECK_EQUAL(transport.waits, 0);
}

TEST("a datagram cut short by its buffer is a lost answer") {
  script::Transport transport;
  transport.fail(-EMSGSIZE);
  Notes notes;
  Transaction transaction(1, 1, Ending::dump);
  CHECK_EQUAL(exchange(transport, Built(30, 0, 1), transaction, notes, goOn).state, ExchangeResult::lost);
}

TEST("an answer that is waited for is given up when the exchange is abandoned") {
  script::Transport transport;
  Notes notes;
  Transaction transaction(1, 1, Ending::message);
  std::atomic<bool> abandon = true;
  ExchangeResult result = exchange(transport, Built(30, 0, 1), transaction, notes, abandon);
  CHECK_EQUAL(result.state, ExchangeResult::lost);
  CHECK_EQUAL(result.error, -ECANCELED);
}

TEST("of several datagrams of which one was cut short the others count, and the loss is told") {
  script::Transport transport;
  transport.queue(answer(1, -EEXIST));
  transport.cut();
  transport.queue(answer(3, 0));
  Notes notes;
  Transaction transaction(1, 3, Ending::acknowledgement);
  ExchangeResult result = exchange(transport, Built(30, 0, 1), transaction, notes, goOn);
  CHECK_EQUAL(result.state, ExchangeResult::lost);
  CHECK_EQUAL(result.error, -EMSGSIZE);
  CHECK_EQUAL(notes.text, "refused 0 -17; ");
  CHECK(transaction.complete());
}
