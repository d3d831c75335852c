#include "check.h"

#include <cctype>

namespace check {

namespace {
int failures = 0;
// Why the running test is skipped; empty if it is not.
std::string skipped;
}

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

void failed(const char* file, int line, const std::string& what) {
  ++failures;
  std::printf("    %s:%d: %s\n", file, line, what.c_str());
}

void skip(const std::string& why) { skipped = why; }

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> result;
  int digits = 0;
  unsigned value = 0;
  auto finish = [&] {
    if (digits) result.push_back(static_cast<std::byte>(value));
    digits = 0;
    value = 0;
  };
  for (char c : text) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) {
      finish();
      continue;
    }
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    if (++digits == 2) finish();
  }
  finish();
  return result;
}

std::string text(netlink::ByteView bytes) {
  std::string result;
  char two[4];
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::snprintf(two, sizeof two, i % 4 == 3 ? "%02x|" : "%02x ", static_cast<unsigned>(bytes[i]));
    result += two;
  }
  return result;
}

Exact::Exact(netlink::ByteView bytes)
    : data_(static_cast<std::byte*>(std::malloc(bytes.size()))), size_(bytes.size()) {
  if (size_) std::memcpy(data_, bytes.data(), size_);
}

Exact::~Exact() { std::free(data_); }

}  // namespace check

// native_tests [PART OF A NAME]
int main(int argc, char** argv) {
  int run = 0, bad = 0, left = 0;
  for (const check::Test& test : check::tests()) {
    if (argc > 1 && std::string_view(test.name).find(argv[1]) == std::string_view::npos) continue;
    int before = check::failures;
    check::skipped.clear();
    test.body();
    ++run;
    if (check::failures != before) {
      ++bad;
      std::printf("not ok  %s\n", test.name);
    } else if (!check::skipped.empty()) {
      ++left;
      std::printf("skipped %s: %s\n", test.name, check::skipped.c_str());
    }
  }
  std::printf("%d native tests, %d failed, %d skipped\n", run, bad, left);
  return bad || !run;
}
