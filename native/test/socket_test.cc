// Tests against the running kernel, using generic netlink's controller, which every kernel has.
#include "netlink/socket.h"

#include <linux/genetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "netlink/attribute.h"
#include "netlink/family.h"
#include "netlink/message.h"
#include "netlink/network_namespace.h"
#include "netlink/thread.h"

using namespace netlink;

namespace {

const std::atomic<bool> goOn = false;

// Stands for a library with much thread-local storage. glibc takes the room for it from every thread's stack.
thread_local volatile char muchStorage[1024 * 1024];

// If not 0, the second buffer of a receive has only this many bytes, so that the kernel truncates the
// datagram.
unsigned offeredToSecond = 0;

}  // namespace

// Replaces libc's function and adds nothing but that.
extern "C" int recvmmsg(int descriptor, mmsghdr* headers, unsigned count, int flags, timespec* timeout) {
  if (offeredToSecond && count > 1) headers[1].msg_hdr.msg_iov->iov_len = offeredToSecond;
  return static_cast<int>(syscall(SYS_recvmmsg, descriptor, headers, count, flags, timeout));
}

TEST("the controller's own family is found under its number") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  FamilyAnswer answer = resolveFamily(socket, "nlctrl", 1, goOn);
  CHECK_EQUAL(answer.error, 0);
  CHECK_EQUAL(answer.number, GENL_ID_CTRL);
}

TEST("a family that does not exist is ENOENT") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  CHECK_EQUAL(resolveFamily(socket, "no such family", 1, goOn).error, -ENOENT);
  CHECK_EQUAL(resolveFamily(socket, "a name that is too long", 2, goOn).error, -ENAMETOOLONG);
}

TEST("the buffers are asked back from the kernel, which doubles them") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {100'000, 50'000}), 0);
  CHECK_EQUAL(socket.bufferSizes().receive, 200'000);
  CHECK_EQUAL(socket.bufferSizes().send, 100'000);
}

TEST("a datagram larger than the send buffer is refused before anything is sent") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  std::vector<std::byte> large(1 << 18);
  CHECK_EQUAL(socket.send(large), -EMSGSIZE);
}

TEST("datagrams that came whole are there, although one of the same call was cut short") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  std::byte requests[3 * 64];
  std::byte* end = requests;
  for (std::uint32_t sequence = 1; sequence <= 3; ++sequence) {
    std::byte* begin = end;
    end = putHeader(begin, GENL_ID_CTRL, 0, sequence, CTRL_CMD_GETFAMILY, 1);
    end = putText(end, CTRL_ATTR_FAMILY_NAME, "nlctrl");
    setLength(begin, end);
  }
  CHECK_EQUAL(socket.send({requests, end}), 0);
  offeredToSecond = 32;
  Datagrams datagrams;
  CHECK_EQUAL(socket.receive(datagrams, true), -EMSGSIZE);
  offeredToSecond = 0;
  CHECK_EQUAL(datagrams.count, 2u);
  std::string sequences;
  for (std::size_t i = 0; i < datagrams.count; ++i)
    CHECK(forEachMessage(datagrams.items[i], [&](const Message& message) {
      sequences += std::to_string(message.header.nlmsg_seq) + " ";
    }));
  CHECK_EQUAL(sequences, "1 3 ");
  CHECK_EQUAL(socket.receive(datagrams, true), -EAGAIN);
  CHECK_EQUAL(datagrams.count, 0u);
}

TEST("waiting ends when it is abandoned") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  struct {
    Socket& socket;
    std::atomic<bool> abandon = false;
    int result = 0;
  } waiting{socket};
  Thread thread;
  auto wait = [](void* context) -> void* {
    auto& waits = *static_cast<decltype(waiting)*>(context);
    waits.result = waits.socket.wait(waits.abandon);
    return nullptr;
  };
  CHECK_EQUAL(thread.start("waiting", wait, &waiting), 0);
  waiting.abandon = true;
  thread.join();
  CHECK_EQUAL(waiting.result, -ECANCELED);
}

TEST("a thread starts beside a library that has much thread-local storage, and has a stack of its own") {
  Thread thread;
  auto body = [](void* context) -> void* {
    volatile char deep[128 * 1024];
    deep[0] = 1;
    deep[sizeof deep - 1] = 1;
    muchStorage[sizeof muchStorage - 1] = 1;
    *static_cast<bool*>(context) = deep[0] == deep[sizeof deep - 1];
    return nullptr;
  };
  bool ran = false;
  CHECK_EQUAL(thread.start("storage", body, &ran), 0);
  thread.join();
  CHECK(ran);
}

TEST("a namespace that is no file, or no namespace, is told apart") {
  bool visited = false;
  auto missing = runInNamespace({"/proc/no/such/namespace", -1}, [&] { visited = true; });
  CHECK_EQUAL(missing.failed, NamespaceResult::open);
  CHECK_EQUAL(missing.error, -ENOENT);
  auto other = runInNamespace({"/dev/null", -1}, [&] { visited = true; });
  CHECK_EQUAL(other.failed, NamespaceResult::enter);
  CHECK(other.error == -EINVAL || other.error == -EPERM);
  CHECK(!visited);
}

TEST("without a choice of namespace the calling thread does the work itself") {
  pthread_t self = pthread_self();
  bool same = false;
  auto result = runInNamespace({}, [&] { same = pthread_equal(self, pthread_self()); });
  CHECK_EQUAL(result.failed, NamespaceResult::none);
  CHECK(same);
}
