#include "session.h"

namespace node_ipvs {

Session::Session(std::unique_ptr<Sockets> sockets, netlink::Descriptor networkNamespace)
    : sockets_(std::move(sockets)),
      namespace_(std::move(networkNamespace)),
      client_(
          sockets_->requests, sockets_->dumps,
          {static_cast<std::size_t>(bufferSizes().send), static_cast<std::size_t>(bufferSizes().receive)}) {}

std::unique_ptr<Session> Session::open(const OpenOptions& options, OpenError& error,
                                       const std::atomic<bool>& abandon) {
  using Size = netlink::Socket::DatagramSize;
  auto sockets = std::make_unique<Sockets>();
  netlink::Descriptor networkNamespace;
  int opened = 0;
  auto visited = netlink::runInNamespace(options.netns, [&] {
    opened = sockets->requests.open(NETLINK_GENERIC, Size::small, options.buffers);
    if (opened == 0) opened = sockets->dumps.open(NETLINK_GENERIC, Size::large, {0, 0});
    if (opened == 0) opened = netlink::currentNamespace(networkNamespace);
  });
  if (visited.failed != netlink::NamespaceResult::none) {
    error = {
        visited.failed == netlink::NamespaceResult::open ? "netns-open" : "netns-enter", visited.error, {}};
    return nullptr;
  }
  if (opened) {
    error = {"socket", opened, {}};
    return nullptr;
  }
  std::unique_ptr<Session> session(new Session(std::move(sockets), std::move(networkNamespace)));
  ipvs::OpenFailure failure;
  if (!session->client_.open(failure, abandon)) {
    error = {failure.step == ipvs::OpenStep::permission ? "permission" : "family", failure.error,
             std::move(failure.text)};
    return nullptr;
  }
  return session;
}

}  // namespace node_ipvs
