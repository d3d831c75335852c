// An open conversation with IPVS: a network namespace, two sockets in it, and a client. Does not depend on
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

/// Why an open failed. JavaScript writes the message.
struct OpenError {
  const char* step;  ///< 'netns-open', 'netns-enter', 'socket', 'family' or 'permission'
  int error;         ///< negative errno
  std::string text;  ///< the kernel's error message, often empty
};

class Session {
 public:
  /// Opens a session and waits for the kernel's answers. Setting `abandon` ends the wait. Returns null on
  /// failure, with the reason in `error`.
  static std::unique_ptr<Session> open(const OpenOptions& options, OpenError& error,
                                       const std::atomic<bool>& abandon);

  ipvs::Client& client() { return client_; }
  netlink::Socket::BufferSizes bufferSizes() const { return sockets_->requests.bufferSizes(); }
  /// The descriptor of the session's network namespace; -1 if /proc was not mounted.
  int networkNamespace() const { return namespace_.number(); }
  /// As `netlink::openInNamespace`.
  int openInNamespace(const char* path, int flags) const {
    return netlink::openInNamespace(namespace_, path, flags);
  }

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
