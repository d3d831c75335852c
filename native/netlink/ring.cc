#include "netlink/ring.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace netlink {

namespace {

// The kernel and the program each read the index that the other one is writing.
unsigned loadShared(unsigned* at) { return std::atomic_ref(*at).load(std::memory_order_acquire); }
void storeShared(unsigned* at, unsigned value) {
  std::atomic_ref(*at).store(value, std::memory_order_release);
}

}  // namespace

bool Ring::map(Mapping& mapping, std::size_t length, std::size_t offset) {
  void* at = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor_.number(),
                  static_cast<off_t>(offset));
  if (at == MAP_FAILED) return false;
  mapping = {static_cast<std::byte*>(at), length};
  return true;
}

std::unique_ptr<Ring> Ring::open(unsigned operations) {
  io_uring_params parameters{};
  Descriptor descriptor(static_cast<int>(syscall(__NR_io_uring_setup, operations, &parameters)));
  if (!descriptor) return nullptr;
  std::unique_ptr<Ring> ring(new Ring);
  ring->descriptor_ = std::move(descriptor);
  const auto& submissions = parameters.sq_off;
  const auto& completions = parameters.cq_off;
  bool mapped =
      ring->map(ring->submissions_, submissions.array + parameters.sq_entries * sizeof(unsigned),
                IORING_OFF_SQ_RING) &&
      ring->map(ring->completions_, completions.cqes + parameters.cq_entries * sizeof(io_uring_cqe),
                IORING_OFF_CQ_RING) &&
      ring->map(ring->entries_, parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
  if (!mapped) return nullptr;
  auto number = [](const Mapping& mapping, unsigned offset) {
    return reinterpret_cast<unsigned*>(mapping.at + offset);
  };
  ring->submissionTail_ = number(ring->submissions_, submissions.tail);
  ring->submissionMask_ = *number(ring->submissions_, submissions.ring_mask);
  ring->completionHead_ = number(ring->completions_, completions.head);
  ring->completionTail_ = number(ring->completions_, completions.tail);
  ring->completionMask_ = *number(ring->completions_, completions.ring_mask);
  ring->submissionEntries_ = reinterpret_cast<io_uring_sqe*>(ring->entries_.at);
  ring->completionEntries_ = reinterpret_cast<io_uring_cqe*>(ring->completions_.at + completions.cqes);
  // Entries are always used in the order of their numbers.
  unsigned* order = number(ring->submissions_, submissions.array);
  for (unsigned i = 0; i < parameters.sq_entries; ++i) order[i] = i;
  return ring;
}

Ring::~Ring() {
  for (const Mapping& mapping : {submissions_, completions_, entries_}) {
    if (mapping.at) munmap(mapping.at, mapping.length);
  }
}

void Ring::reap(std::span<Operation> operations, std::size_t& ended) {
  unsigned head = *completionHead_;
  unsigned tail = loadShared(completionTail_);
  for (; head != tail; ++head, ++ended) {
    const io_uring_cqe& completion = completionEntries_[head & completionMask_];
    operations[completion.user_data].result = completion.res;
  }
  storeShared(completionHead_, head);
}

int Ring::run(int descriptor, std::span<Operation> operations) {
  unsigned tail = *submissionTail_;
  for (std::size_t i = 0; i < operations.size(); ++i, ++tail) {
    Operation& operation = operations[i];
    bool send = operation.kind == Operation::send;
    operation.result = -ECANCELED;
    io_uring_sqe& entry = submissionEntries_[tail & submissionMask_];
    std::memset(&entry, 0, sizeof entry);
    entry.opcode = send ? IORING_OP_SEND : IORING_OP_RECV;
    entry.fd = descriptor;
    entry.addr = reinterpret_cast<std::uintptr_t>(operation.data);
    entry.len = static_cast<std::uint32_t>(operation.size);
    entry.msg_flags = send ? 0 : MSG_DONTWAIT | MSG_TRUNC;
    entry.user_data = i;
    entry.flags = i + 1 < operations.size() ? IOSQE_IO_LINK : 0;
  }
  storeShared(submissionTail_, tail);
  // Returns only when all operations have ended, because they use the caller's memory.
  std::size_t submitted = 0, ended = 0;
  while (ended < operations.size()) {
    long taken = syscall(__NR_io_uring_enter, descriptor_.number(), operations.size() - submitted,
                         operations.size() - ended, IORING_ENTER_GETEVENTS, nullptr, 0);
    if (taken >= 0) {
      submitted += static_cast<std::size_t>(taken);
    } else if (errno != EINTR && ended == submitted) {
      return -errno;
    }
    reap(operations, ended);
  }
  return 0;
}

}  // namespace netlink
