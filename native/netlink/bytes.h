// Bytes in memory: unaligned loads and stores, and a growing buffer that leaves new bytes uninitialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

namespace netlink {

using ByteView = std::span<const std::byte>;

/// Reads a value of native byte order from any address.
template <class T>
inline T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Writes a value in native byte order to any address.
template <class T>
inline void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

/// Rounds up to a multiple of a power of two.
constexpr std::size_t alignUp(std::size_t length, std::size_t alignment) {
  return (length + alignment - 1) & ~(alignment - 1);
}

/// A growing buffer from malloc. `clear` keeps the memory, `release` hands it to the caller.
class Bytes {
 public:
  Bytes() = default;
  ~Bytes() { std::free(data_); }
  Bytes(Bytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Bytes& operator=(Bytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  ByteView view() const { return {data_, size_}; }
  void clear() { size_ = 0; }

  /// Makes room for `length` bytes in all. Aborts the process if memory runs out, as Node does everywhere.
  void reserve(std::size_t length) {
    if (length <= capacity_) return;
    std::size_t capacity = capacity_ < 256 ? 256 : capacity_ * 2;
    if (capacity < length) capacity = length;
    data_ = static_cast<std::byte*>(std::realloc(data_, capacity));
    if (!data_) std::abort();
    capacity_ = capacity;
  }

  /// Sets the size. New bytes are uninitialised.
  void resize(std::size_t length) {
    reserve(length);
    size_ = length;
  }

  /// Appends `length` uninitialised bytes and returns their address, which is valid until the buffer grows
  /// again.
  std::byte* extend(std::size_t length) {
    std::size_t at = size_;
    resize(at + length);
    return data_ + at;
  }

  /// Hands the memory to the caller, who frees it with `std::free`.
  std::byte* release() {
    size_ = capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace netlink
