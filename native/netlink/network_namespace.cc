#include "netlink/network_namespace.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "netlink/thread.h"

namespace netlink {

namespace {

constexpr char ownNamespace[] = "/proc/thread-self/ns/net";

}  // namespace

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
      // O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
      opened = Descriptor(::open(visit.choice.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (!opened) {
        visit.result = {NamespaceResult::open, -errno};
        return nullptr;
      }
      number = opened.number();
    }
    // setns() needs CAP_SYS_ADMIN even for the namespace where the thread is.
    if (!isCurrentNamespace(number) && setns(number, CLONE_NEWNET) != 0) {
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

int currentNamespace(Descriptor& current) {
  current = Descriptor(open(ownNamespace, O_RDONLY | O_CLOEXEC));
  if (current) return 0;
  bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
  return exhausted ? -errno : 0;
}

bool isCurrentNamespace(int descriptor) {
  // The system call itself: before 2.33, glibc has no stat or fstat that a shared library could find.
  struct statx own, other;
  return syscall(SYS_statx, AT_FDCWD, ownNamespace, 0, STATX_INO, &own) == 0 &&
         syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, STATX_INO, &other) == 0 &&
         own.stx_ino == other.stx_ino && own.stx_dev_major == other.stx_dev_major &&
         own.stx_dev_minor == other.stx_dev_minor;
}

int openInNamespace(const Descriptor& networkNamespace, const char* path, int flags) {
  auto open = [&] {
    int opened = ::open(path, flags | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
  };
  // No descriptor: /proc was not mounted when it should have been opened.
  if (!networkNamespace) return -ENOENT;
  // Saves the thread.
  if (isCurrentNamespace(networkNamespace.number())) return open();
  int opened = 0;
  auto visited = runInNamespace({{}, networkNamespace.number()}, [&] { opened = open(); });
  return visited.error ? visited.error : opened;
}

}  // namespace netlink
