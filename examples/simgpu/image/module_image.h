// SPDX-License-Identifier: Apache-2.0
// What the simulator needs to know of a GPU binary: its kernels, what they use of an SM, and its variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace simgpu::image {

struct KernelParameter {
  size_t offset = 0;
  size_t size = 0;
};

struct Kernel {
  std::string name;  // as mangled
  uint32_t registers = 32;
  uint32_t static_shared_bytes = 0;
  uint32_t local_bytes = 0;
  uint32_t max_threads = 1024;      // per block, from __launch_bounds__
  uint32_t cluster[3] = {0, 0, 0};  // fixed at compile time; 0: not
  std::vector<KernelParameter> parameters;
};

struct Variable {
  std::string name;
  size_t bytes = 0;
  std::vector<uint8_t> initial;  // empty: zeros
  bool is_constant = false;
};

struct ModuleImage {
  std::vector<Kernel> kernels;
  std::vector<Variable> variables;
  uint32_t architecture = 0;  // 90 for sm_90 or compute_90
  bool from_ptx = false;
  std::span<const uint8_t> binary;  // the cubin or the PTX text, inside `storage` or the caller's image
  std::vector<uint8_t> storage;     // holds `binary` where it had to be decompressed
};

enum class ImageError {
  kNone,
  kNotAnImage,  // neither a cubin, nor a fat binary, nor PTX
  kDamaged,     // one of those, but it contradicts itself
  kBadPtx,
  kNothingForGpu,  // code for other architectures only
};

// Reads whatever cuModuleLoadData accepts: a cubin, a fat binary or its wrapper, or PTX text. Like that function it is
// told no size and trusts the image to be as long as it says. `capability` is that of the device, e.g. 90.
ImageError ReadModuleImage(const void* image, uint32_t capability, ModuleImage* module);

// The three forms; their sizes are known here.
bool IsElf(std::span<const uint8_t> bytes);
ImageError ReadCubin(std::span<const uint8_t> bytes, ModuleImage* module);
ImageError ReadPtx(std::span<const uint8_t> text, ModuleImage* module);
// Takes what suits the device best: a cubin of its architecture, else PTX of the same or an older one.
ImageError ReadFatBinary(std::span<const uint8_t> container, uint32_t capability, ModuleImage* module);

// Whether code made for `architecture` runs on a device: cubins on the same major version, PTX on every newer device.
bool CubinRunsOn(uint32_t architecture, uint32_t capability);
bool PtxRunsOn(uint32_t architecture, uint32_t capability);

}  // namespace simgpu::image
