// A file descriptor that closes itself when it is destroyed.
#pragma once

#include <unistd.h>

#include <utility>

namespace netlink {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  /// The descriptor's number; -1 if there is none.
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

  /// Hands the descriptor to the caller, who closes it.
  int release() { return std::exchange(number_, -1); }

  void reset() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_ = -1;
};

}  // namespace netlink
