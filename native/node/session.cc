#include "session.h"

namespace node_ipvs {

Session::Session(std::unique_ptr<netlink::Socket> socket, netlink::Descriptor networkNamespace)
    : socket_(std::move(socket)),
      namespace_(std::move(networkNamespace)),
      client_(*socket_, {static_cast<std::size_t>(socket_->bufferSizes().send),
                         static_cast<std::size_t>(socket_->bufferSizes().receive)}) {}

std::unique_ptr<Session> Session::open(const OpenOptions& options, OpenError& error) {
  auto socket = std::make_unique<netlink::Socket>();
  netlink::Descriptor networkNamespace;
  int opened = 0;
  auto visited = netlink::runInNamespace(options.netns, [&] {
    opened = socket->open(NETLINK_GENERIC, options.buffers);
    networkNamespace = netlink::currentNamespace();
  });
  if (visited.failed != netlink::NamespaceResult::none) {
    error = {visited.failed == netlink::NamespaceResult::open ? "netns-open" : "netns-enter", visited.error, {}};
    return nullptr;
  }
  if (opened) {
    error = {"socket", opened, {}};
    return nullptr;
  }
  std::unique_ptr<Session> session(new Session(std::move(socket), std::move(networkNamespace)));
  ipvs::OpenFailure failure;
  if (!session->client_.open(failure)) {
    error = {failure.step == ipvs::OpenStep::permission ? "permission" : "family", failure.error,
             std::move(failure.text)};
    return nullptr;
  }
  return session;
}

}  // namespace node_ipvs
