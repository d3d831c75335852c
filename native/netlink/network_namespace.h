// Doing something inside another network namespace: on a thread of its own that ends afterwards, so that no
// thread of the program moves.
#pragma once

#include <functional>
#include <string>

#include "netlink/descriptor.h"

namespace netlink {

/// Which namespace: a path (opened by the thread), a descriptor (which stays the caller's), or neither: the
/// calling thread's own.
struct NamespaceChoice {
  std::string path;
  int descriptor = -1;
};

struct NamespaceResult {
  enum Step { none, open, enter } failed;  ///< which step failed
  int error;                               ///< negative errno
};

/// Runs `inside` on a new thread in the chosen namespace, or on the calling thread where the choice is its
/// own; returns after its end. Entering needs CAP_SYS_ADMIN.
NamespaceResult runInNamespace(const NamespaceChoice& choice, const std::function<void()>& inside);

/// A descriptor of the calling thread's network namespace; none where /proc is not mounted or does not show it.
/// 0, or a negative errno where the process or the system has no descriptor left.
int currentNamespace(Descriptor& current);

/// Whether it is the calling thread's own. Needs no capability.
bool isCurrentNamespace(const Descriptor& networkNamespace);

}  // namespace netlink
