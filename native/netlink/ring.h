// io_uring, as far as conversations need it: operations on a socket, one after the other, in one system call.
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
  /// An operation, and what came of it.
  struct Operation {
    enum Kind { send, receive } kind;
    const void* data;  ///< what is sent, or where to what is received goes
    std::size_t size;
    int result;  ///< bytes (received: of the whole datagram, even if it was cut), or a negative errno
  };

  /// A ring for that many operations. Null where the system has none or does not permit it: kernels before
  /// 5.6, those with kernel.io_uring_disabled, and many containers.
  static std::unique_ptr<Ring> open(unsigned operations);

  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Runs operations in order, each when the one before it has ended well; those after one that failed have
  /// the result -ECANCELED. Receiving does not wait. 0 or a negative errno, after which the ring is not to be
  /// used again.
  int run(int descriptor, std::span<Operation> operations);

 private:
  /// Memory that the kernel shares with this process.
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
