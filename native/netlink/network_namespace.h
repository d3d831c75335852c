// Runs a function inside another network namespace. It runs on a short-lived thread of its own, so that none
// of the program's threads changes its namespace.
#pragma once

#include <functional>
#include <string>

#include "netlink/descriptor.h"

namespace netlink {

/// Which namespace: a path (opened by the new thread), a descriptor (still owned by the caller), or neither
/// for the calling thread's own namespace.
struct NamespaceChoice {
  std::string path;
  int descriptor = -1;
};

struct NamespaceResult {
  enum Step { none, open, enter } failed;  ///< which step failed
  int error;                               ///< negative errno
};

/// Runs `inside` on a new thread in the chosen namespace and waits for it to end. Without a path or
/// descriptor it runs on the calling thread. Entering another namespace needs CAP_SYS_ADMIN.
NamespaceResult runInNamespace(const NamespaceChoice& choice, const std::function<void()>& inside);

/// Opens a descriptor of the calling thread's network namespace; leaves it empty if /proc is not mounted or
/// does not show the namespace. Returns 0, or a negative errno if the process or the system has run out of
/// descriptors.
int currentNamespace(Descriptor& current);

/// Whether this is the calling thread's own namespace. Needs no capability.
bool isCurrentNamespace(int descriptor);

/// Opens a file as a thread inside the namespace would, which matters for files of /proc. Needs CAP_SYS_ADMIN
/// unless that is the calling thread's own namespace. Returns a descriptor, which the caller closes, or a
/// negative errno.
int openInNamespace(const Descriptor& networkNamespace, const char* path, int flags);

}  // namespace netlink
