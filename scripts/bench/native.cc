// What the C++ part costs by itself, in processor time. Needs no IPVS: requests are encoded and answers decoded by the client of the
// package over
// a transport that answers at once, and netlink is measured on the family that every kernel has, the one that lists the others.
//
//   native ROUNDS        prints, as JSON, microseconds of each round: { "encode": [0.05, …], … }
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "ipvs/client.h"
#include "ipvs/fields.h"
#include "netlink/attribute.h"
#include "netlink/family.h"
#include "netlink/socket.h"

using netlink::ByteView;

namespace {

constexpr std::uint32_t requestsInPiece = 4096;
constexpr std::uint32_t destinationsInDump = 10'000;
constexpr std::size_t datagramLength = 32 * 1024;
constexpr int conversations = 200;

std::atomic<bool> never = false;

double processorTime() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

[[noreturn]] void fail(const char* what, int error) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(-error));
  std::exit(1);
}

// Microseconds of one unit, in each of so many rounds. The first one warms up and does not count.
void measure(const char* name, int rounds, double units, const std::function<void()>& work) {
  static bool first = true;
  std::printf("%s\"%s\": [", first ? "" : ", ", name);
  first = false;
  work();
  for (int round = 0; round < rounds; ++round) {
    double begin = processorTime();
    work();
    std::printf("%s%.4f", round ? ", " : "", (processorTime() - begin) / units);
  }
  std::printf("]");
}

ipvs::ServiceRecord service() {
  ipvs::ServiceRecord record{};
  record.present = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4;
  record.family = AF_INET;
  record.protocol = IPPROTO_TCP;
  record.port = 80;
  std::memcpy(record.address, "\x0a\x00\x00\x01", 4);
  return record;
}

ipvs::DestinationRecord destination(std::uint32_t number) {
  ipvs::DestinationRecord record{};
  record.present = (1u << 7) - 1;
  record.family = AF_INET;
  record.port = 8080;
  std::uint32_t address = __builtin_bswap32(0xac100001 + number);
  std::memcpy(record.address, &address, 4);
  record.weight = 1;
  return record;
}

void append(std::vector<std::byte>& to, const void* data, std::size_t length) {
  auto from = static_cast<const std::byte*>(data);
  to.insert(to.end(), from, from + length);
}

// Answers each send at once: with an acknowledgement, or with prepared datagrams.
class Answering final : public netlink::Transport {
 public:
  std::vector<std::vector<std::byte>> datagrams;

  int send(ByteView sent) override {
    // The last request is the one that is answered.
    netlink::forEachMessage(sent, [&](const netlink::Message& message) { last_ = message.header; });
    next_ = 0;
    return 0;
  }

  int receive(netlink::Datagrams& received, bool) override {
    if (datagrams.empty()) {
      struct {
        nlmsghdr header;
        nlmsgerr error;
      } acknowledgement{{sizeof acknowledgement, NLMSG_ERROR, 0, last_.nlmsg_seq, 0}, {0, last_}};
      std::memcpy(buffer_, &acknowledgement, sizeof acknowledgement);
      received.items[0] = {buffer_, sizeof acknowledgement};
      received.count = 1;
      return 0;
    }
    received.count = 0;
    while (received.count < received.most && next_ < datagrams.size()) {
      std::vector<std::byte>& datagram = datagrams[next_++];
      for (std::size_t at = 0; at < datagram.size();) {
        auto header = netlink::load<nlmsghdr>(datagram.data() + at);
        header.nlmsg_seq = last_.nlmsg_seq;
        netlink::store(datagram.data() + at, header);
        at += netlink::alignUp(header.nlmsg_len, NLMSG_ALIGNTO);
      }
      received.items[received.count++] = datagram;
    }
    return received.count ? 0 : -EAGAIN;
  }

  int wait(const std::atomic<bool>&) override { return -ETIMEDOUT; }

 private:
  nlmsghdr last_{};
  std::size_t next_ = 0;
  std::byte buffer_[64];
};

std::byte* putCounters(std::byte* out, std::uint16_t nest, bool wide) {
  std::byte* end = netlink::beginNest(out);
  for (std::uint16_t counter = IPVS_STATS_ATTR_CONNS; counter <= IPVS_STATS_ATTR_OUTBPS; ++counter) {
    // The kernel pads before a number of eight bytes where it would not be aligned.
    bool wideNow = wide || counter == IPVS_STATS_ATTR_INBYTES || counter == IPVS_STATS_ATTR_OUTBYTES;
    end = wideNow ? netlink::putNumber(end, counter, std::uint64_t{counter})
                  : netlink::putNumber(end, counter, std::uint32_t{counter});
  }
  netlink::endNest(out, nest, end);
  return end;
}

// The dump of a service's destinations, as Linux 7.2 answers it.
std::vector<std::vector<std::byte>> dumpOfDestinations() {
  std::vector<std::vector<std::byte>> datagrams(1);
  std::byte message[1024];
  for (std::uint32_t number = 0; number < destinationsInDump; ++number) {
    ipvs::DestinationRecord record = destination(number);
    std::byte* nest = netlink::putHeader(message, 40, NLM_F_MULTI, 0, IPVS_CMD_NEW_DEST, 1);
    std::byte* end = netlink::beginNest(nest);
    end = netlink::putBytes<16>(end, IPVS_DEST_ATTR_ADDR, reinterpret_cast<const std::byte*>(record.address));
    end = netlink::putNumber(end, IPVS_DEST_ATTR_PORT, __builtin_bswap16(record.port));
    end = netlink::putNumber(end, IPVS_DEST_ATTR_FWD_METHOD, record.forward);
    end = netlink::putNumber(end, IPVS_DEST_ATTR_WEIGHT, static_cast<std::uint32_t>(record.weight));
    end = netlink::putNumber(end, IPVS_DEST_ATTR_TUN_TYPE, std::uint8_t{0});
    end = netlink::putNumber(end, IPVS_DEST_ATTR_TUN_PORT, std::uint16_t{0});
    end = netlink::putNumber(end, IPVS_DEST_ATTR_TUN_FLAGS, std::uint16_t{0});
    for (std::uint16_t attribute : {IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH, IPVS_DEST_ATTR_ACTIVE_CONNS, IPVS_DEST_ATTR_INACT_CONNS, IPVS_DEST_ATTR_PERSIST_CONNS})
      end = netlink::putNumber(end, attribute, std::uint32_t{0});
    end = netlink::putNumber(end, IPVS_DEST_ATTR_ADDR_FAMILY, record.family);
    end = putCounters(end, IPVS_DEST_ATTR_STATS, false);
    end = putCounters(end, IPVS_DEST_ATTR_STATS64, true);
    netlink::endNest(nest, IPVS_CMD_ATTR_DEST, end);
    netlink::setLength(message, end);
    auto length = static_cast<std::size_t>(end - message);
    if (datagrams.back().size() + length > datagramLength) datagrams.emplace_back();
    append(datagrams.back(), message, length);
  }
  struct {
    nlmsghdr header;
    int error;
  } done{{sizeof done, NLMSG_DONE, NLM_F_MULTI, 0, 0}, 0};
  append(datagrams.emplace_back(), &done, sizeof done);
  return datagrams;
}

void measureClient(int rounds) {
  Answering answering;
  ipvs::Client client(answering, answering, {212'992, 8 << 20});

  ipvs::ServiceRecord key = service();
  std::vector<std::byte> piece;
  for (std::uint32_t i = 0; i < requestsInPiece; ++i) {
    ipvs::DestinationRecord record = destination(i);
    constexpr std::size_t size = sizeof(ipvs::RequestHeader) + ipvs::ServiceRecord::keySize + ipvs::DestinationRecord::requestSize;
    ipvs::RequestHeader header{size, IPVS_CMD_NEW_DEST, 0, 0};
    append(piece, &header, sizeof header);
    append(piece, &key, ipvs::ServiceRecord::keySize);
    append(piece, &record, ipvs::DestinationRecord::requestSize);
  }
  ipvs::ReplyWriter reply;
  measure("encode", rounds, 16.0 * requestsInPiece, [&] {
    for (int i = 0; i < 16; ++i) client.execute(piece, requestsInPiece, reply, never);
    if (!reply.bytes().empty()) fail("encode", -EBADMSG);
  });

  answering.datagrams = dumpOfDestinations();
  std::vector<std::byte> dump;
  ipvs::RequestHeader header{sizeof header + ipvs::ServiceRecord::keySize, IPVS_CMD_GET_DEST, ipvs::requestDump, 0};
  append(dump, &header, sizeof header);
  append(dump, &key, ipvs::ServiceRecord::keySize);
  measure("decode", rounds, 4.0 * destinationsInDump, [&] {
    for (int i = 0; i < 4; ++i) client.execute(dump, 1, reply, never);
    if (reply.recordCount(0) != destinationsInDump) fail("decode", -EBADMSG);
  });
}

struct Counting final : netlink::Listener {
  void refused(std::uint32_t, int error, std::string_view) override { fail("nlctrl", error); }
  void received(std::uint32_t, const netlink::Message&) override { ++messages; }
  std::uint32_t messages = 0;
};

std::uint32_t sequence = 1;

// Asks for a dump of all families, or (fewer than a datagram's worth) for the one policy of the family that lists them.
std::size_t encodeDump(std::byte* out, bool all, std::uint32_t number) {
  std::byte* end = netlink::putHeader(out, GENL_ID_CTRL, NLM_F_DUMP, number, all ? CTRL_CMD_GETFAMILY : CTRL_CMD_GETPOLICY, 1);
  if (!all) end = netlink::putNumber(end, CTRL_ATTR_FAMILY_ID, std::uint16_t{GENL_ID_CTRL});
  netlink::setLength(out, end);
  return static_cast<std::size_t>(end - out);
}

void dump(netlink::Socket& socket, bool all, bool many) {
  std::byte request[64];
  std::size_t length = encodeDump(request, all, sequence);
  netlink::Transaction transaction(sequence++, 1, netlink::Ending::dump);
  Counting counting;
  if (int error = socket.send({request, length})) fail("send", error);
  while (!transaction.complete()) {
    netlink::Datagrams datagrams;
    if (int error = socket.receive(datagrams, many)) fail("receive", error);
    for (std::size_t i = 0; i < datagrams.count; ++i) transaction.take(datagrams.items[i], counting);
  }
  if (counting.messages == 0) fail("nlctrl", -ENODATA);
}

void measureNetlink(int rounds) {
  using Size = netlink::Socket::DatagramSize;
  netlink::Socket small, large;
  if (int error = small.open(NETLINK_GENERIC, Size::small, {0, 0})) fail("socket", error);
  if (int error = large.open(NETLINK_GENERIC, Size::large, {0, 0})) fail("socket", error);
  auto dumps = [&](const char* name, netlink::Socket& socket, bool all, bool many) {
    measure(name, rounds, conversations, [&] { for (int i = 0; i < conversations; ++i) dump(socket, all, many); });
  };
  dumps("long dump, small datagrams one by one", small, true, false);
  dumps("long dump, small datagrams", small, true, true);
  dumps("long dump, large datagrams one by one", large, true, false);
  dumps("long dump, large datagrams", large, true, true);
  dumps("short dump, small datagrams one by one", small, false, false);
  dumps("short dump, small datagrams", small, false, true);
  dumps("short dump, large datagrams", large, false, true);
}

}  // namespace

int main(int, char** arguments) {
  int rounds = arguments[1] ? std::atoi(arguments[1]) : 9;
  std::printf("{");
  measureClient(rounds);
  measureNetlink(rounds);
  std::printf("}\n");
}
