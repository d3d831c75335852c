// One opened conversation with IPVS: a namespace, two sockets in it, and a client. Knows nothing of
// JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "ipvs/client.h"
#include "netlink/network_namespace.h"
#include "netlink/socket.h"

namespace node_ipvs {

struct OpenOptions {
  netlink::NamespaceChoice netns;
  netlink::Socket::BufferSizes buffers;
};

/// Why an open failed: JavaScript makes the message.
struct OpenError {
  const char* step;  ///< 'netns-open', 'netns-enter', 'socket', 'family' or 'permission'
  int error;         ///< negative errno
  std::string text;  ///< the kernel's own words, mostly empty
};

class Session {
 public:
  /// Opens a session, waiting for the kernel, which is given up when `abandon` is set. Null with the reason.
  static std::unique_ptr<Session> open(const OpenOptions& options, OpenError& error,
                                       const std::atomic<bool>& abandon);

  ipvs::Client& client() { return client_; }
  netlink::Socket::BufferSizes bufferSizes() const { return sockets_->requests.bufferSizes(); }
  /// The descriptor of the session's network namespace, -1 where there is no /proc.
  int networkNamespace() const { return namespace_.number(); }
  /// Opens a file as a thread inside the session's network namespace does. A descriptor, which is the caller's,
  /// or a negative errno.
  int openInNamespace(const char* path, int flags) const;

 private:
  struct Sockets {
    netlink::Socket requests;
    netlink::Socket dumps;
  };

  Session(std::unique_ptr<Sockets> sockets, netlink::Descriptor networkNamespace);

  std::unique_ptr<Sockets> sockets_;
  netlink::Descriptor namespace_;
  ipvs::Client client_;
};

}  // namespace node_ipvs
