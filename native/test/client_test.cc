// Batches: which requests travel together, and which request each answer belongs to. The kernel's side is
// scripted.
#include "ipvs/client.h"

#include <memory>

#include "check.h"
#include "pack.h"
#include "script.h"

using namespace ipvs;
using script::answer, script::Built, script::dumpEnd;

namespace {

constexpr std::uint16_t family = 0x23;

struct Conversation {
  script::Transport transport;
  Limits limits{1 << 20, 1 << 20};
  std::unique_ptr<Client> client;
  ReplyWriter reply;
  std::atomic<bool> abandon = false;

  // An open client. The log of the opening exchange is cleared.
  explicit Conversation(Limits bounds = {1 << 20, 1 << 20}) : limits(bounds) {
    client = std::make_unique<Client>(transport, transport, limits);
    transport.onSend = [this](const script::Transport::Sent& sent) {
      std::uint32_t sequence = sent.messages[0].header.nlmsg_seq;
      if (sent.messages[0].header.nlmsg_type == GENL_ID_CTRL) {
        transport.queue(familyAnswer(sequence, family));
      } else {
        transport.queue(infoAnswer(sequence));
      }
      return 0;
    };
    OpenFailure failure;
    CHECK(client->open(failure, abandon));
    transport.sent.clear();
    transport.onSend = nullptr;
  }

  static Built generic(std::uint16_t type, std::uint32_t sequence, std::uint8_t command,
                       std::uint16_t flags = 0) {
    genlmsghdr header{command, 1, 0};
    return Built(type, flags, sequence).append(&header, sizeof header);
  }
  static Built familyAnswer(std::uint32_t sequence, std::uint16_t number) {
    return generic(GENL_ID_CTRL, sequence, CTRL_CMD_NEWFAMILY).number(CTRL_ATTR_FAMILY_ID, number);
  }
  static Built infoAnswer(std::uint32_t sequence) {
    return generic(family, sequence, IPVS_CMD_SET_INFO)
        .number<std::uint32_t>(IPVS_INFO_ATTR_VERSION, 0x010201);
  }
  static Built destinationAnswer(std::uint32_t sequence) {
    return generic(family, sequence, IPVS_CMD_NEW_DEST, NLM_F_MULTI)
        .attribute(IPVS_CMD_ATTR_DEST, check::bytes("06 00 02 00 1f 90 00 00"));
  }

  std::string execute(const pack::Batch& batch, std::uint32_t number = 0) {
    check::Exact packed(batch.bytes);
    client->execute(packed.view(), batch.count, reply, abandon, number);
    return pack::outcomes(reply.bytes().view());
  }

  // Acknowledges the last request of each send.
  void acknowledge() {
    transport.onSend = [this](const script::Transport::Sent& sent) {
      transport.queue(answer(sent.messages.back().header.nlmsg_seq, 0));
      return 0;
    };
  }
};

pack::Batch dumps(int count) {
  pack::Batch batch;
  for (int i = 0; i < count; ++i) batch.ofService(IPVS_CMD_GET_DEST, pack::serviceKey(), requestDump);
  return batch;
}

pack::Batch destinations(std::uint32_t count) {
  pack::Batch batch;
  for (std::uint32_t i = 0; i < count; ++i)
    batch.ofDestination(IPVS_CMD_NEW_DEST, pack::serviceKey(), pack::destination());
  return batch;
}

}  // namespace

TEST("a thousand rules are one send, acknowledged on the last one only, and no reply") {
  Conversation conversation({1 << 20, 4 << 20});
  conversation.acknowledge();
  CHECK_EQUAL(conversation.execute(destinations(1000)), "all done");
  CHECK_EQUAL(conversation.transport.sent.size(), 1u);
  const auto& messages = conversation.transport.sent[0].messages;
  CHECK_EQUAL(messages.size(), 1000u);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    CHECK_EQUAL(messages[i].header.nlmsg_flags, i == 999 ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST);
    CHECK_EQUAL(messages[i].header.nlmsg_type, family);
    CHECK_EQUAL(messages[i].header.nlmsg_seq, messages[0].header.nlmsg_seq + i);
  }
}

TEST("sends are cut so that every refusal would fit the receive buffer, and the bytes the send buffer") {
  Limits limits{1 << 20, 64 * 1024};
  Conversation conversation(limits);
  conversation.acknowledge();
  CHECK_EQUAL(conversation.execute(destinations(500)), "all done");
  std::size_t sum = 0;
  for (const auto& sent : conversation.transport.sent) {
    CHECK(sent.messages.size() <= limits.requestsPerSend());
    sum += sent.messages.size();
  }
  CHECK_EQUAL(sum, 500u);
  CHECK(conversation.transport.sent.size() > 1);

  Limits narrow{4096, 1 << 20};
  Conversation second(narrow);
  second.acknowledge();
  CHECK_EQUAL(second.execute(destinations(100)), "all done");
  CHECK(second.transport.sent.size() > 1);
  for (const auto& sent : second.transport.sent) CHECK(sent.bytes.size() <= 4096 - 32);
}

TEST("even the smallest buffers carry one request at a time") {
  Conversation conversation({0, 0});
  conversation.acknowledge();
  CHECK_EQUAL(conversation.execute(destinations(3)), "all done");
  CHECK_EQUAL(conversation.transport.sent.size(), 3u);
}

TEST("refusals land on their own requests across sends, with the kernel's words") {
  Conversation conversation({1 << 20, 1280 * 2});
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    conversation.transport.queue(
        answer(sent.messages[0].header.nlmsg_seq, -EEXIST, sent.messages.size() == 1 ? "last" : ""));
    if (sent.messages.size() > 1)
      conversation.transport.queue(answer(sent.messages.back().header.nlmsg_seq, 0));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(5)), "-17 done -17 done -17 'last'");
}

TEST("EMSGSIZE means that nothing was sent: half is tried, down to one") {
  Conversation conversation;
  std::size_t largest = 3;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    if (sent.messages.size() > largest) return -EMSGSIZE;
    conversation.transport.queue(answer(sent.messages.back().header.nlmsg_seq, 0));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(10)), "all done");
  std::size_t carried = 0;
  for (const auto& sent : conversation.transport.sent)
    carried += sent.messages.size() <= largest ? sent.messages.size() : 0;
  CHECK_EQUAL(carried, 10u);
  largest = 0;
  CHECK_EQUAL(conversation.execute(destinations(2)), "not-sent(90) not-sent(90)");
}

TEST(
    "lost answers: what has no refusal is unknown, what comes later is not sent, and nothing is sent twice") {
  Conversation conversation({1 << 20, 1280 * 3});
  int sends = 0;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t first = sent.messages[0].header.nlmsg_seq;
    if (++sends == 1) {
      conversation.transport.queue(answer(first + 2, 0));
      return 0;
    }
    conversation.transport.fail(-ENOBUFS);
    conversation.transport.queue(answer(first + 1, -EEXIST));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(8)), "done done done unknown(105) -17 unknown(105) not-sent(105) not-sent(105)");
  CHECK_EQUAL(sends, 2);
  CHECK(conversation.transport.drained());
}

TEST("a socket that fails sends nothing, and says why") {
  Conversation conversation;
  conversation.transport.onSend = [](auto&) { return -ENOTCONN; };
  CHECK_EQUAL(conversation.execute(destinations(2)), "not-sent(107) not-sent(107)");
  conversation.transport.onSend = [](auto&) { return -ENOBUFS; };
  CHECK_EQUAL(conversation.execute(destinations(1)), "not-sent(12)");
}

TEST("nothing of a batch is sent after a part of it was lost; what is not of it goes on") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent&) {
    conversation.transport.fail(-ENOBUFS);
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(2), 7), "unknown(105) unknown(105)");
  conversation.acknowledge();
  CHECK_EQUAL(conversation.execute(destinations(1), 8), "all done");
  CHECK_EQUAL(conversation.execute(destinations(1)), "all done");
  conversation.transport.sent.clear();
  CHECK_EQUAL(conversation.execute(destinations(2), 7), "not-sent(105) not-sent(105)");
  CHECK_EQUAL(conversation.execute(destinations(1), 7), "not-sent(105)");
  CHECK_EQUAL(conversation.transport.sent.size(), 0u);
}

TEST("a loss is remembered for as long as its batch may have parts, whatever else is lost meanwhile") {
  Conversation conversation;
  auto lose = [&](const script::Transport::Sent&) {
    conversation.transport.fail(-ENOBUFS);
    return 0;
  };
  conversation.transport.onSend = lose;
  CHECK_EQUAL(conversation.execute(destinations(1), 7), "unknown(105)");
  CHECK_EQUAL(conversation.execute(destinations(1), 8), "unknown(105)");
  CHECK_EQUAL(conversation.execute(destinations(1)), "unknown(105)");
  conversation.acknowledge();
  conversation.transport.sent.clear();
  CHECK_EQUAL(conversation.execute(destinations(1), 7), "not-sent(105)");
  CHECK_EQUAL(conversation.execute(destinations(1), 8), "not-sent(105)");
  CHECK_EQUAL(conversation.transport.sent.size(), 0u);
  CHECK_EQUAL(conversation.execute(destinations(1), 9), "all done");
}

TEST("an answer without what was asked for is a lost one, never a record made of something else") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    conversation.transport.queue(
        Conversation::generic(family, sent.messages[0].header.nlmsg_seq, IPVS_CMD_NEW_SERVICE));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(pack::Batch().ofService(IPVS_CMD_GET_SERVICE, pack::serviceKey())),
              "unknown(74)");
  CHECK_EQUAL(conversation.execute(pack::Batch().plain(IPVS_CMD_GET_INFO)), "unknown(74)");
  // A kernel built without TCP and UDP balancing has no timeouts to report.
  CHECK_EQUAL(conversation.execute(pack::Batch().plain(IPVS_CMD_GET_CONFIG)), "done+1");
}

TEST("a dump that has a message without its object is a lost answer, not a shorter list") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t sequence = sent.messages[0].header.nlmsg_seq;
    conversation.transport.queue(Conversation::destinationAnswer(sequence));
    conversation.transport.queue(Conversation::generic(family, sequence, IPVS_CMD_NEW_DEST, NLM_F_MULTI));
    conversation.transport.queue(Conversation::destinationAnswer(sequence));
    conversation.transport.queue(dumpEnd(sequence));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(dumps(1)), "unknown(74)");
  CHECK_EQUAL(conversation.execute(dumps(2)), "unknown(74) unknown(74)");
}

TEST("a record that cannot be in a row with the others of its list is a lost answer, not a shorter list") {
  Conversation conversation({1 << 20, 1 << 20});
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t first = sent.messages[0].header.nlmsg_seq;
    conversation.transport.queue(Conversation::infoAnswer(first));
    conversation.transport.queue(Conversation::infoAnswer(first + 1));
    conversation.transport.queue(Conversation::infoAnswer(first));
    conversation.transport.queue(answer(first + 2, 0));
    return 0;
  };
  pack::Batch batch;
  batch.plain(IPVS_CMD_GET_INFO).plain(IPVS_CMD_GET_INFO).plain(IPVS_CMD_FLUSH);
  CHECK_EQUAL(conversation.execute(batch), "unknown(74) done+1 done");
}

TEST("what was received whole beside a datagram that was cut short is not thrown away") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t first = sent.messages[0].header.nlmsg_seq;
    conversation.transport.queue(answer(first, -EEXIST));
    conversation.transport.cut();
    conversation.transport.queue(answer(first + 2, -ESRCH));
    conversation.transport.queue(answer(first + 3, 0));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(4)), "-17 unknown(90) -3 unknown(90)");
}

TEST("a dump's records follow each other in its reply, and a dump of nothing is an answer") {
  Conversation conversation;
  int sends = 0;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t sequence = sent.messages[0].header.nlmsg_seq;
    CHECK_EQUAL(sent.messages[0].header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    for (int i = 0; i < (sends == 1 ? 0 : 3); ++i)
      conversation.transport.queue(Conversation::destinationAnswer(sequence));
    conversation.transport.queue(dumpEnd(sequence));
    ++sends;
    return 0;
  };
  pack::Batch batch;
  for (int i = 0; i < 3; ++i) batch.ofService(IPVS_CMD_GET_DEST, pack::serviceKey(), requestDump);
  CHECK_EQUAL(conversation.execute(batch), "done+3 done done+3");
  netlink::ByteView reply = conversation.reply.bytes().view();
  auto entry = netlink::load<ReplyEntry>(reply.data() + sizeof(ReplyHeader) + 2 * sizeof(ReplyEntry));
  CHECK_EQUAL(entry.recordsOffset % 8, 0u);
  CHECK_EQUAL(entry.recordsOffset + 3 * sizeof(DestinationRecord), reply.size());
  auto last =
      netlink::load<DestinationRecord>(reply.data() + entry.recordsOffset + 2 * sizeof(DestinationRecord));
  CHECK_EQUAL(last.port, 8080);
  CHECK_EQUAL(last.present, pack::bits<destinationNest>({"port"}));

  pack::Batch nothing;
  nothing.ofService(IPVS_CMD_GET_DEST, pack::serviceKey(), requestDump);
  sends = 1;
  CHECK_EQUAL(conversation.execute(nothing), "done");
}

TEST("a dump ends its send, as the kernel has one at a time, and what comes before it travels along") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    std::uint32_t sequence = sent.messages.back().header.nlmsg_seq;
    bool dump = (sent.messages.back().header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    conversation.transport.queue(dump ? dumpEnd(sequence) : answer(sequence, 0));
    return 0;
  };
  pack::Batch batch;
  batch.newService(pack::service()).plain(IPVS_CMD_GET_DAEMON, requestDump).plain(IPVS_CMD_FLUSH);
  CHECK_EQUAL(conversation.execute(batch), "done done done");
  CHECK_EQUAL(conversation.transport.sent.size(), 2u);
  CHECK_EQUAL(conversation.transport.sent[0].messages.size(), 2u);
}

TEST(
    "long dumps go by a transport of their own, short ones by the one for requests; a service is guessed "
    "after the one before") {
  script::Transport requests, dumps;
  Client client(requests, dumps, {1 << 20, 1 << 20});
  std::string ways;
  int records = 100;
  int error = 0;
  auto answerBy = [&](script::Transport& transport, const char* name) {
    transport.onSend = [&transport, name, &ways, &records, &error](const script::Transport::Sent& sent) {
      std::uint32_t sequence = sent.messages[0].header.nlmsg_seq;
      ways += name;
      if (error && ways.back() == 'r') transport.fail(error);
      for (int i = 0; i < records; ++i) transport.queue(Conversation::destinationAnswer(sequence));
      transport.queue(dumpEnd(sequence));
      return 0;
    };
  };
  answerBy(requests, "r");
  answerBy(dumps, "d");
  ReplyWriter reply;
  std::atomic<bool> abandon = false;
  auto ask = [&](unsigned command) {
    pack::Batch batch;
    if (command == IPVS_CMD_GET_DEST)
      batch.ofService(command, pack::serviceKey(), requestDump);
    else
      batch.plain(command, requestDump);
    client.execute(batch.bytes, 1, reply, abandon);
    return pack::outcomes(reply.bytes().view());
  };
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+100");
  records = 10;
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+10");
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+10");
  records = 0;
  CHECK_EQUAL(ask(IPVS_CMD_GET_SERVICE), "done");
  CHECK_EQUAL(ask(IPVS_CMD_GET_DAEMON), "done");
  records = 100;
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+100");
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+100");
  CHECK_EQUAL(ways, "ddrdrrd");

  // On a machine with longer datagrams than expected, the truncated dump is requested again, and all later
  // dumps use the transport for long ones.
  ways = "";
  records = 10;
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+10");
  error = -EMSGSIZE;
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+10");
  CHECK_EQUAL(ask(IPVS_CMD_GET_DEST), "done+10");
  CHECK_EQUAL(ways, "drdd");
}

TEST("single answers take one receive: no acknowledgement is asked for beside them") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    CHECK_EQUAL(sent.messages[0].header.nlmsg_flags, NLM_F_REQUEST);
    conversation.transport.queue(Conversation::infoAnswer(sent.messages[0].header.nlmsg_seq));
    return 0;
  };
  conversation.transport.receives = 0;
  CHECK_EQUAL(conversation.execute(pack::Batch().plain(IPVS_CMD_GET_INFO)), "done+1");
  CHECK_EQUAL(conversation.transport.receives, 1);
  CHECK_EQUAL(conversation.transport.waits, 0);
}

TEST("ENOENT for all of a send: the family may have moved, and is asked for again") {
  Conversation conversation;
  std::uint16_t now = 0x24;
  int questions = 0;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    const nlmsghdr& header = sent.messages[0].header;
    if (header.nlmsg_type == GENL_ID_CTRL) {
      ++questions;
      conversation.transport.queue(Conversation::familyAnswer(header.nlmsg_seq, now));
    } else if (header.nlmsg_type == 0x24) {
      conversation.transport.queue(answer(sent.messages.back().header.nlmsg_seq, 0));
    } else {
      for (const auto& message : sent.messages)
        conversation.transport.queue(answer(message.header.nlmsg_seq, -ENOENT));
    }
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(3)), "all done");
  CHECK_EQUAL(questions, 1);
  CHECK_EQUAL(conversation.execute(destinations(3)), "all done");
  CHECK_EQUAL(questions, 1);
}

TEST("ENOENT for all of a send where the family has not moved is the kernel's answer") {
  Conversation conversation;
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    const nlmsghdr& header = sent.messages[0].header;
    conversation.transport.queue(header.nlmsg_type == GENL_ID_CTRL
                                     ? Conversation::familyAnswer(header.nlmsg_seq, family)
                                     : answer(header.nlmsg_seq, -ENOENT));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(1)), "-2");
}

TEST(
    "a request that is not well-formed is refused, what came before it is done, what comes after it is not "
    "sent") {
  Conversation conversation;
  conversation.acknowledge();
  pack::Batch batch = destinations(2);
  batch.plain(IPVS_CMD_NEW_DEST);
  batch.plain(IPVS_CMD_FLUSH);
  CHECK_EQUAL(conversation.execute(batch), "done done -74 not-sent");
  CHECK_EQUAL(conversation.transport.sent.size(), 1u);
}

TEST("an abandoned batch stops between sends") {
  Conversation conversation({1 << 20, 1280 * 2});
  conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
    conversation.abandon = true;
    conversation.transport.queue(answer(sent.messages.back().header.nlmsg_seq, 0));
    return 0;
  };
  CHECK_EQUAL(conversation.execute(destinations(4)), "done done not-sent not-sent");
}

TEST("opening tells apart a kernel without IPVS and a caller without CAP_NET_ADMIN") {
  script::Transport transport;
  Client client(transport, transport, {1 << 20, 1 << 20});
  transport.onSend = [&](const script::Transport::Sent& sent) {
    transport.queue(answer(sent.messages[0].header.nlmsg_seq, -ENOENT));
    return 0;
  };
  OpenFailure failure{};
  std::atomic<bool> abandon = false;
  CHECK(!client.open(failure, abandon));
  CHECK(failure.step == OpenStep::family);
  CHECK_EQUAL(failure.error, -ENOENT);
  transport.onSend = [&](const script::Transport::Sent& sent) {
    const nlmsghdr& header = sent.messages[0].header;
    transport.queue(header.nlmsg_type == GENL_ID_CTRL ? Conversation::familyAnswer(header.nlmsg_seq, family)
                                                      : answer(header.nlmsg_seq, -EPERM, "no"));
    return 0;
  };
  CHECK(!client.open(failure, abandon));
  CHECK(failure.step == OpenStep::permission);
  CHECK_EQUAL(failure.error, -EPERM);
  CHECK_EQUAL(failure.text, "no");
}

TEST("a reply is a multiple of eight bytes long, whatever texts are in it") {
  for (std::size_t length = 1; length <= 9; ++length) {
    Conversation conversation;
    conversation.transport.onSend = [&](const script::Transport::Sent& sent) {
      conversation.transport.queue(
          answer(sent.messages[0].header.nlmsg_seq, -EINVAL, std::string(length, 'x')));
      return 0;
    };
    CHECK_EQUAL(conversation.execute(destinations(1)), "-22 '" + std::string(length, 'x') + "'");
    CHECK_EQUAL(conversation.reply.bytes().size() % 8, 0u);
  }
}

TEST("a reply whose offsets would need more than 32 bits takes no more records") {
  ReplyWriter reply;
  reply.begin(1);
  std::size_t most = std::size_t{1} << 31;
  CHECK(reply.addRecord(0, most) != nullptr);
  CHECK(reply.addRecord(0, most) == nullptr);
}

TEST("records that the kernel mixes up cost themselves, never the reply's shape") {
  ReplyWriter reply;
  reply.begin(2);
  CHECK(reply.addRecord(0, 16) != nullptr);
  CHECK(reply.addRecord(1, 16) != nullptr);
  CHECK(reply.addRecord(0, 16) == nullptr);
  reply.finish();
  CHECK_EQUAL(reply.bytes().size(), sizeof(ReplyHeader) + 2 * sizeof(ReplyEntry) + 2 * 16);
}
