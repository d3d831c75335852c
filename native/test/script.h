// A transport with a scripted kernel. It records what is sent and answers with datagrams that the test wrote.
#pragma once

#include <cerrno>
#include <deque>
#include <functional>
#include <memory>

#include "check.h"
#include "netlink/attribute.h"
#include "netlink/message.h"
#include "netlink/transport.h"

namespace script {

using netlink::ByteView;

/// Builds a netlink message.
class Built {
 public:
  Built(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence) {
    nlmsghdr header{NLMSG_HDRLEN, type, flags, sequence, 0};
    append(&header, sizeof header);
  }

  Built& append(const void* data, std::size_t length) {
    auto from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + length);
    while (bytes_.size() % 4) bytes_.push_back(std::byte{0});
    netlink::store(bytes_.data(), static_cast<std::uint32_t>(bytes_.size()));
    return *this;
  }

  Built& attribute(std::uint16_t type, ByteView payload) {
    nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + payload.size()), type};
    append(&header, sizeof header);
    return append(payload.data(), payload.size());
  }

  template <class T>
  Built& number(std::uint16_t type, T value) {
    return attribute(type, {reinterpret_cast<const std::byte*>(&value), sizeof value});
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  operator ByteView() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// NLMSG_ERROR as the kernel sends it with NETLINK_CAP_ACK; error 0 is an acknowledgement.
inline Built answer(std::uint32_t sequence, int error, std::string_view text = {}) {
  Built message(NLMSG_ERROR, static_cast<std::uint16_t>(NLM_F_CAPPED | (text.empty() ? 0 : NLM_F_ACK_TLVS)),
                sequence);
  nlmsgerr payload{error, {NLMSG_HDRLEN, 0, 0, sequence, 0}};
  message.append(&payload, sizeof payload);
  if (!text.empty()) {
    std::string terminated(text);
    message.attribute(NLMSGERR_ATTR_MSG,
                      {reinterpret_cast<const std::byte*>(terminated.c_str()), terminated.size() + 1});
  }
  return message;
}

/// The end of a dump.
inline Built dumpEnd(std::uint32_t sequence, int error = 0) {
  Built message(NLMSG_DONE, NLM_F_MULTI, sequence);
  return message.append(&error, sizeof error);
}

class Transport final : public netlink::Transport {
 public:
  struct Sent {
    std::vector<std::byte> bytes;
    std::vector<netlink::Message> messages;  ///< views of `bytes`
  };

  /// Called for each send with the sent bytes. Its result becomes that of `send`; it answers through `queue`
  /// and `fail`.
  std::function<int(const Sent&)> onSend;

  std::deque<Sent> sent;
  int receives = 0;
  int waits = 0;

  /// Queues a datagram to be received.
  void queue(ByteView datagram) { received_.push_back({0, {datagram.begin(), datagram.end()}}); }
  /// Queues an error of a receive.
  void fail(int error) { received_.push_back({error, {}}); }
  /// Queues a datagram that is too long for the receiver's buffer.
  void cut() { received_.push_back({cutShort, {}}); }
  bool drained() const { return received_.empty(); }

  int send(ByteView datagram) override {
    Sent& one = sent.emplace_back();
    one.bytes.assign(datagram.begin(), datagram.end());
    CHECK(netlink::forEachMessage(one.bytes,
                                  [&](const netlink::Message& message) { one.messages.push_back(message); }));
    return onSend ? onSend(one) : 0;
  }

  int receive(netlink::Datagrams& datagrams, bool many) override {
    ++receives;
    datagrams.count = 0;
    current_.clear();
    if (received_.empty()) return -EAGAIN;
    if (int error = received_.front().error; error && error != cutShort) {
      received_.pop_front();
      return error;
    }
    std::size_t most = many ? netlink::Datagrams::most : 1;
    int error = 0;
    for (std::size_t i = 0; i < most && !received_.empty(); ++i) {
      Received& one = received_.front();
      if (one.error == cutShort) {
        error = -EMSGSIZE;
      } else if (one.error) {
        break;
      } else {
        current_.push_back(std::make_unique<check::Exact>(one.bytes));
        datagrams.items[datagrams.count++] = current_.back()->view();
      }
      received_.pop_front();
    }
    return error;
  }

  /// What `wait` does instead of giving up at once.
  std::function<int(const std::atomic<bool>&)> onWait;

  int wait(const std::atomic<bool>& abandon) override {
    ++waits;
    if (onWait) return onWait(abandon);
    return abandon ? -ECANCELED : -ETIMEDOUT;
  }

 private:
  static constexpr int cutShort = 1;

  struct Received {
    int error;  ///< negative, or `cutShort`
    std::vector<std::byte> bytes;
  };
  std::deque<Received> received_;
  std::vector<std::unique_ptr<check::Exact>> current_;
};

}  // namespace script
