// SPDX-License-Identifier: Apache-2.0
// An extension module in miniature: throws and catches C++ exceptions, as the libraries behind Python packages do.
// Loaded by a Python test with ctypes.
#include <chrono>
#include <stdexcept>

namespace {

__attribute__((noinline)) int Throw(int depth) {
  if (depth == 0) throw std::runtime_error("thrown");
  volatile int result = Throw(depth - 1);
  return result + 1;
}

}  // namespace

// The median is the caller's business: returns the mean time of one throw and catch across ten frames, in ns.
extern "C" __attribute__((visibility("default"))) double nanoseconds_per_throw(int rounds) {
  const auto start = std::chrono::steady_clock::now();
  int caught = 0;
  for (int i = 0; i < rounds; ++i) {
    try {
      Throw(10);
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return caught == rounds ? elapsed.count() / rounds : -1;
}
