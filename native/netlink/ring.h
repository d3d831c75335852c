// The part of io_uring that netlink conversations need: several operations on a socket, in order, in one
// system call.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "netlink/descriptor.h"

struct io_uring_cqe;
struct io_uring_sqe;

namespace netlink {

class Ring {
 public:
  /// An operation and its result.
  struct Operation {
    enum Kind { send, receive } kind;
    const void* data;  ///< the bytes to send, or the buffer to receive into
    std::size_t size;
    int result;  ///< bytes (of the whole received datagram, even if it was truncated), or a negative errno
  };

  /// Opens a ring for that many operations. Null if the system has no io_uring or forbids it: kernels before
  /// 5.6, kernels with kernel.io_uring_disabled, and many containers.
  static std::unique_ptr<Ring> open(unsigned operations);

  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Runs operations in order. Each starts when the one before it has succeeded; operations after a failed
  /// one get the result -ECANCELED. Receiving does not wait. Returns 0 or a negative errno; after an error
  /// the ring must not be used again.
  int run(int descriptor, std::span<Operation> operations);

 private:
  /// Memory shared with the kernel.
  struct Mapping {
    std::byte* at = nullptr;
    std::size_t length = 0;
  };

  Ring() = default;
  bool map(Mapping& mapping, std::size_t length, std::size_t offset);
  void reap(std::span<Operation> operations, std::size_t& ended);

  Descriptor descriptor_;
  Mapping submissions_, completions_, entries_;
  unsigned *submissionTail_, *completionHead_, *completionTail_;
  unsigned submissionMask_, completionMask_;
  io_uring_sqe* submissionEntries_;
  io_uring_cqe* completionEntries_;
};

}  // namespace netlink
