// Any bytes as datagrams from the kernel.
//
//   u8 how many requests were sent | u8 how the last one ends | datagrams: { u16 length | bytes }
#include "netlink/transaction.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace {

struct Listener final : netlink::Listener {
  explicit Listener(std::uint32_t count) : count(count) {}
  std::uint32_t count;
  void refused(std::uint32_t request, int error, std::string_view text) override {
    if (request >= count || error >= 0 || (!text.empty() && text.data()[text.size() - 1] == 0)) std::abort();
  }
  void received(std::uint32_t request, const netlink::Message& message) override {
    if (request >= count) std::abort();
    netlink::attributesOf(message);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::uint32_t count = data[0] % 8 + 1;
  netlink::Transaction transaction(0xfffffffe, count, static_cast<netlink::Ending>(data[1] % 3));
  Listener listener(count);
  std::size_t at = 2;
  while (size - at >= 2) {
    std::size_t length = std::min<std::size_t>(
        netlink::load<std::uint16_t>(reinterpret_cast<const std::byte*>(data + at)), size - at - 2);
    at += 2;
    auto from = reinterpret_cast<const std::byte*>(data + at);
    std::vector<std::byte> datagram(from, from + length);
    datagram.shrink_to_fit();
    transaction.take(datagram, listener);
    at += length;
  }
  if (transaction.notFound() > 0 && size < 22) std::abort();
  return 0;
}
