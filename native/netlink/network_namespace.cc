#include "netlink/network_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "netlink/thread.h"

namespace netlink {

NamespaceResult runInNamespace(const NamespaceChoice& choice, const std::function<void()>& inside) {
  if (choice.path.empty() && choice.descriptor < 0) {
    inside();
    return {NamespaceResult::none, 0};
  }
  struct Visit {
    const NamespaceChoice& choice;
    const std::function<void()>& inside;
    NamespaceResult result;
  } visit{choice, inside, {NamespaceResult::none, 0}};
  Thread thread;
  auto body = [](void* context) -> void* {
    auto& visit = *static_cast<Visit*>(context);
    int number = visit.choice.descriptor;
    Descriptor opened;
    if (!visit.choice.path.empty()) {
      // Not to wait for whoever writes to what turns out to be a FIFO.
      opened = Descriptor(::open(visit.choice.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (!opened) {
        visit.result = {NamespaceResult::open, -errno};
        return nullptr;
      }
      number = opened.number();
    }
    if (setns(number, CLONE_NEWNET) != 0) {
      visit.result = {NamespaceResult::enter, -errno};
      return nullptr;
    }
    visit.inside();
    return nullptr;
  };
  if (int error = thread.start("ipvs-netns", body, &visit)) return {NamespaceResult::enter, error};
  thread.join();
  return visit.result;
}

Descriptor currentNamespace() { return Descriptor(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

}  // namespace netlink
