#include "ipvs/reply.h"

namespace ipvs {

namespace {

// Records must end before this offset, which leaves the last 256 MiB to texts.
constexpr std::size_t mostRecords = UINT32_MAX - (std::size_t{256} << 20);

std::size_t entryOffset(std::uint32_t request) { return sizeof(ReplyHeader) + request * sizeof(ReplyEntry); }

}  // namespace

void ReplyWriter::begin(std::uint32_t count) {
  bytes_.clear();
  texts_.clear();
  count_ = count;
  answers_ = false;
}

void ReplyWriter::start() {
  if (!bytes_.empty()) return;
  std::size_t length = entryOffset(count_);
  bytes_.resize(length);
  std::memset(bytes_.data(), 0, length);
}

ReplyEntry ReplyWriter::entry(std::uint32_t request) const {
  return netlink::load<ReplyEntry>(bytes_.data() + entryOffset(request));
}

void ReplyWriter::setEntry(std::uint32_t request, const ReplyEntry& entry) {
  netlink::store(bytes_.data() + entryOffset(request), entry);
}

void ReplyWriter::setOutcome(std::uint32_t request, std::int32_t outcome, std::string_view text) {
  start();
  ReplyEntry changed{outcome, 0, 0, 0};
  if (!text.empty()) {
    // Relative until `finish` knows where the texts begin. Plus one, because 0 means none.
    changed.text = static_cast<std::uint32_t>(texts_.size() + 1);
    std::byte* to = texts_.extend(text.size() + 1);
    std::memcpy(to, text.data(), text.size());
    to[text.size()] = std::byte{0};
  }
  setEntry(request, changed);
}

void ReplyWriter::setLost(std::uint32_t request, Outcome outcome, int error) {
  start();
  setEntry(request, {outcome, 0, static_cast<std::uint32_t>(-error), 0});
}

std::int32_t ReplyWriter::outcome(std::uint32_t request) const {
  return bytes_.empty() ? Outcome::done : entry(request).outcome;
}

std::uint32_t ReplyWriter::recordCount(std::uint32_t request) const {
  return bytes_.empty() ? 0 : entry(request).recordCount;
}

void ReplyWriter::expectRecords(std::uint32_t request) {
  start();
  answers_ = true;
  ReplyEntry changed = entry(request);
  if (changed.recordCount > 0) return;
  changed.recordsOffset = static_cast<std::uint32_t>(bytes_.size());
  setEntry(request, changed);
}

std::byte* ReplyWriter::addRecord(std::uint32_t request, std::size_t size) {
  expectRecords(request);
  ReplyEntry changed = entry(request);
  if (changed.recordsOffset + changed.recordCount * size != bytes_.size()) return nullptr;
  if (bytes_.size() + size > mostRecords) return nullptr;
  ++changed.recordCount;
  setEntry(request, changed);
  return bytes_.extend(size);
}

void ReplyWriter::forget(std::uint32_t request) {
  if (!bytes_.empty()) setEntry(request, {});
}

void ReplyWriter::finish() {
  if (bytes_.empty()) return;
  auto recordsOffset = static_cast<std::uint32_t>(entryOffset(count_));
  auto textsOffset = static_cast<std::uint32_t>(bytes_.size());
  bool refusals = false;
  for (std::uint32_t request = 0; request < count_; ++request) {
    ReplyEntry changed = entry(request);
    refusals = refusals || changed.outcome != Outcome::done;
    if (changed.text == 0) continue;
    changed.text += textsOffset - 1;
    setEntry(request, changed);
  }
  if (!refusals && !answers_) {
    bytes_.clear();
    return;
  }
  if (!texts_.empty()) {
    // JavaScript views the reply as arrays of numbers of up to eight bytes.
    std::size_t padding = netlink::alignUp(texts_.size(), 8) - texts_.size();
    std::memset(texts_.extend(padding), 0, padding);
    std::memcpy(bytes_.extend(texts_.size()), texts_.data(), texts_.size());
  }
  netlink::store(bytes_.data(),
                 ReplyHeader{count_, recordsOffset, textsOffset, static_cast<std::uint32_t>(bytes_.size())});
}

}  // namespace ipvs
