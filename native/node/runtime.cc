// The few functions of the C++ runtime that the addon uses. With them it needs no libstdc++, so that one file loads with glibc and with musl.
// Compiled into the shipped addon only (binding.gyp): tests and sanitizers have the ordinary runtime.
// Errors end the process, as they would with the ordinary runtime: the addon is compiled without exceptions, so nothing could catch them.
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <new>

extern "C" void __cxa_pure_virtual() { std::abort(); }

void* operator new(std::size_t size) {
  void* memory = std::malloc(size > 0 ? size : 1);
  if (!memory) std::abort();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace std {
[[noreturn]] void __throw_bad_alloc() { abort(); }
[[noreturn]] void __throw_bad_array_new_length() { abort(); }
[[noreturn]] void __throw_logic_error(const char*) { abort(); }
[[noreturn]] void __throw_length_error(const char*) { abort(); }
[[noreturn]] void __throw_bad_function_call() { abort(); }
}  // namespace std
