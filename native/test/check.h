// A small test framework: named tests, checks that print both values, and bytes written as text.
#pragma once

#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/bytes.h"

namespace check {

struct Test {
  const char* name;
  void (*body)();
};

std::vector<Test>& tests();
void failed(const char* file, int line, const std::string& what);

struct Registration {
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

template <class Left, class Right>
void equal(const char* file, int line, const char* expression, const Left& left, const Right& right) {
  if (left == right) return;
  std::ostringstream what;
  what << expression << "\n      is       " << left << "\n      expected " << right;
  failed(file, line, what.str());
}

/// Parses bytes from text such as "1c 00 02 00", as in a packet dump. Anything but a hexadecimal digit
/// separates.
std::vector<std::byte> bytes(std::string_view text);
/// The reverse of `bytes`, for failure messages.
std::string text(netlink::ByteView bytes);

/// A heap copy of exactly this size, so that sanitizers detect every read beyond it.
class Exact {
 public:
  explicit Exact(netlink::ByteView bytes);
  ~Exact();
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;
  netlink::ByteView view() const { return {data_, size_}; }

 private:
  std::byte* data_;
  std::size_t size_;
};

}  // namespace check

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define TEST(name)                                                                                       \
  static void CHECK_JOIN(test, __LINE__)();                                                              \
  static const check::Registration CHECK_JOIN(registration, __LINE__)(name, CHECK_JOIN(test, __LINE__)); \
  static void CHECK_JOIN(test, __LINE__)()

#define CHECK(condition) \
  if (!(condition)) check::failed(__FILE__, __LINE__, #condition)
#define CHECK_EQUAL(actual, expected) check::equal(__FILE__, __LINE__, #actual, actual, expected)
