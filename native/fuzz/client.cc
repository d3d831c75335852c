// Any bytes as the kernel's answers to a batch. The reply must always be well-formed.
#include "ipvs/client.h"

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "ipvs/records.h"

namespace {

// Hands out the fuzzer's bytes as datagrams and errors: { u8 error, 0 for none | u16 length | bytes }.
class Transport final : public netlink::Transport {
 public:
  Transport(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  int send(netlink::ByteView) override {
    if (++sends_ > 64) return -ENOTCONN;
    return 0;
  }
  int receive(netlink::Datagrams& datagrams, bool) override {
    datagrams.count = 0;
    if (left_ < 3) return -EAGAIN;
    int error = data_[0];
    std::size_t length = data_[1] | data_[2] << 8;
    data_ += 3;
    left_ -= 3;
    if (error > 200) return error % 2 ? -ENOBUFS : -EMSGSIZE;
    if (length > left_) length = left_;
    auto from = reinterpret_cast<const std::byte*>(data_);
    datagram_.assign(from, from + length);
    datagram_.shrink_to_fit();
    datagrams.items[datagrams.count++] = datagram_;
    data_ += length;
    left_ -= length;
    return 0;
  }
  int wait(const std::atomic<bool>&) override { return -ETIMEDOUT; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
  int sends_ = 0;
  std::vector<std::byte> datagram_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> packed;
  std::uint32_t count = 0;
  auto ask = [&](std::uint8_t command, std::size_t body) {
    ipvs::RequestHeader header{static_cast<std::uint16_t>(sizeof header + body), command, ipvs::requestDump, 0};
    auto from = reinterpret_cast<const std::byte*>(&header);
    packed.insert(packed.end(), from, from + sizeof header);
    packed.resize(packed.size() + body);
    ++count;
  };
  for (std::uint8_t command : {IPVS_CMD_FLUSH, IPVS_CMD_GET_INFO, IPVS_CMD_GET_SERVICE, IPVS_CMD_GET_CONFIG, IPVS_CMD_GET_DAEMON})
    ask(command, 0);
  for (int i = 0; i < 3; ++i) ask(IPVS_CMD_GET_DEST, ipvs::ServiceRecord::keySize);
  Transport transport(data, size);
  ipvs::Client client(transport, transport, {1 << 20, 1 << 20});
  ipvs::ReplyWriter reply;
  std::atomic<bool> abandon = false;
  client.execute(packed, count, reply, abandon);
  netlink::ByteView bytes = reply.bytes().view();
  if (bytes.empty()) return 0;
  auto header = netlink::load<ipvs::ReplyHeader>(bytes.data());
  if (header.total != bytes.size() || header.total % 8 || header.textsOffset > header.total ||
      header.requestCount != count)
    std::abort();
  for (std::uint32_t i = 0; i < header.requestCount; ++i) {
    auto entry = netlink::load<ipvs::ReplyEntry>(bytes.data() + sizeof header + i * sizeof(ipvs::ReplyEntry));
    if (entry.recordCount &&
        (entry.recordsOffset % 8 || entry.recordsOffset + entry.recordCount * 16ull > header.textsOffset))
      std::abort();
    if (entry.text && (entry.text < header.textsOffset || entry.text >= header.total)) std::abort();
  }
  return 0;
}
