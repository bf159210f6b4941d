// SPDX-License-Identifier: Apache-2.0
// Walks activity buffers with NVIDIA's libcupti: a program of its own, because two libraries of that name do not get on
// in one.
//   walk_with_real_cupti LIBRARY < buffers
// Each buffer is its size in bytes, as a uint64_t, and its content. Prints a line "kind bytes" for each record and "-"
// at the end of each buffer.
#include <cupti.h>
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <vector>

int main(int argc, char** argv) {
  void* const library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (library == nullptr) return std::fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "which library?"), 1;
  const auto next =
      reinterpret_cast<decltype(&cuptiActivityGetNextRecord)>(dlsym(library, "cuptiActivityGetNextRecord"));
  if (next == nullptr || dlsym(library, "simgpu_driver") != nullptr)
    return std::fprintf(stderr, "not the real one\n"), 1;
  for (uint64_t bytes; std::fread(&bytes, sizeof(bytes), 1, stdin) == 1;) {
    std::vector<uint64_t> buffer(bytes / 8 + 1);  // aligned as records need it
    auto* const begin = reinterpret_cast<uint8_t*>(buffer.data());
    if (std::fread(begin, 1, bytes, stdin) != bytes) return 1;
    CUpti_Activity* record = nullptr;
    const uint8_t* position = begin;
    unsigned kind = 0;
    while (next(begin, bytes, &record) == CUPTI_SUCCESS) {
      const auto* const found = reinterpret_cast<const uint8_t*>(record);
      if (kind != 0) std::printf("%u %td\n", kind, found - position);
      kind = static_cast<unsigned>(record->kind);
      position = found;
    }
    if (kind != 0) std::printf("%u %td\n", kind, begin + bytes - position);
    std::printf("-\n");
  }
  return 0;
}
