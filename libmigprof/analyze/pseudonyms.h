// SPDX-License-Identifier: Apache-2.0
// Names that say nothing in place of names that do: numbers in order of weight.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace migprof::analyze {

// What a name is of. Each is numbered for itself.
enum class NameOf : uint8_t {
  kFunction,
  kUnnamedCode,  // known by module and address only
  kPython,
  kKernel,
  kRange,
  kFile,
  kModule,
  kProcess,
  kHost,
  kBoot,
  kGpu,
  kMig,
  kProfile,  // of a slice, where it is not one of NVIDIA's
};

// How large something is in the pictures: nothing else decides its number.
struct NameWeight {
  uint64_t gpu_ns = 0;
  uint64_t count = 0;
  uint64_t idle_ns = 0;
  uint64_t bytes = 0;
  uint32_t depth = UINT32_MAX;  // of its outermost place
};

// Numbers rather than hashes: whoever has a list of likely names can hash them all, also with a key once that is known,
// and numbers read better. They tell what the pictures tell anyway, and one merge gives the same ones each time.
class Pseudonyms {
 public:
  // Adds to the weight of a name. Before the first Get.
  void Count(NameOf what, const std::string& name, const NameWeight& weight);
  // "function_3". Of a name that was not counted: "function_0". An empty name stays empty.
  const std::string& Get(NameOf what, const std::string& name);

 private:
  struct Entry {
    NameWeight weight;
    std::string pseudonym;
  };
  static constexpr size_t kKinds = static_cast<size_t>(NameOf::kProfile) + 1;

  void Assign();

  std::array<std::map<std::string, Entry>, kKinds> names_;
  bool assigned_ = false;
};

}  // namespace migprof::analyze
