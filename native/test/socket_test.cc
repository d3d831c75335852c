// Against the running kernel: the controller of generic netlink is in every one.
#include "netlink/socket.h"

#include <linux/genetlink.h>

#include "check.h"
#include "netlink/family.h"
#include "netlink/message.h"
#include "netlink/network_namespace.h"

using namespace netlink;

TEST("the controller's own family is found under its number") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  FamilyAnswer answer = resolveFamily(socket, "nlctrl", 1);
  CHECK_EQUAL(answer.error, 0);
  CHECK_EQUAL(answer.number, GENL_ID_CTRL);
}

TEST("a family that does not exist is ENOENT") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::small, {1 << 16, 1 << 16}), 0);
  CHECK_EQUAL(resolveFamily(socket, "no such family", 1).error, -ENOENT);
  CHECK_EQUAL(resolveFamily(socket, "a name that is too long", 2).error, -ENAMETOOLONG);
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

TEST("dumps one after the other are one system call where the system has io_uring") {
  Socket socket;
  CHECK_EQUAL(socket.open(NETLINK_GENERIC, Socket::DatagramSize::large, {1 << 16, 1 << 16}), 0);
  struct {
    nlmsghdr message;
    genlmsghdr generic;
  } requests[3];
  std::vector<ByteView> views;
  for (std::uint32_t i = 0; i < 3; ++i) {
    requests[i] = {{static_cast<std::uint32_t>(sizeof requests[i]), GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_DUMP, 100 + i, 0},
                   {CTRL_CMD_GETFAMILY, 1, 0}};
    views.push_back({reinterpret_cast<const std::byte*>(&requests[i]), sizeof requests[i]});
  }
  ShortAnswer answers[3];
  int answered = socket.dumpSeries(views, answers);
  // Not permitted in many containers.
  if (answered == -EOPNOTSUPP) return;
  CHECK(answered > 0);
  for (int i = 0; i < answered; ++i) {
    bool mine = forEachMessage(answers[i].objects, [&](const Message& message) {
      CHECK_EQUAL(message.header.nlmsg_seq, 100u + static_cast<std::uint32_t>(i));
    });
    CHECK(mine && !answers[i].objects.empty());
  }
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
