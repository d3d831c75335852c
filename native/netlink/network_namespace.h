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

/// A descriptor of the calling thread's network namespace; none where /proc is not mounted.
Descriptor currentNamespace();

}  // namespace netlink
