// SPDX-License-Identifier: Apache-2.0
// Loaded code: modules, libraries, and their kernels.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "image/module_image.h"

namespace simgpu {
struct KernelRule;
}

namespace simgpu::driver {

struct Context;
struct Library;
struct Module;

// A CUfunction or a CUkernel: whatever can be launched. The driver takes one for the other, so they share a type.
struct Function {
  image::Kernel code;
  const char* name = nullptr;        // lives as long as the process, as profilers keep it
  Module* module = nullptr;          // null for a CUkernel
  Library* library = nullptr;        // null for a function of a plain module
  const KernelRule* rule = nullptr;  // how long it takes, where the topology has an opinion
  // What cuFuncSetAttribute changed.
  int max_dynamic_shared_bytes = 48 * 1024;
  int preferred_shared_carveout = -1;
  int cluster[3] = {0, 0, 0};
  int allow_large_clusters = 0;
  CUfunc_cache cache_config = CU_FUNC_CACHE_PREFER_NONE;
  // What the launch functions of CUDA 3 set.
  int legacy_block[3] = {1, 1, 1};
  unsigned legacy_shared_bytes = 0;
};

// A variable in the memory of the device.
struct Global {
  CUdeviceptr address = 0;
  size_t bytes = 0;
};

struct Module {
  explicit Module(Context* module_context) : context(module_context) {}

  Context* const context;
  uint32_t id = 0;
  image::ModuleImage image;
  std::vector<Function*> functions;
  std::map<std::string, Global> globals;
};

// A CUlibrary: code of no context in particular. Each context that uses it gets a module of it.
struct Library {
  image::ModuleImage image;
  std::vector<Function*> kernels;
  std::mutex mutex;
  std::map<uint32_t, Module*> modules;  // by context id
};

// A copy of `text` that lives as long as the process; equal texts share one.
const char* Intern(const std::string& text);

Module* FindModule(CUmodule handle);
Library* FindLibrary(CUlibrary handle);
// Accepts CUfunction and CUkernel alike.
Function* FindFunction(const void* handle);

// Loads `image` into `context`.
CUresult LoadModule(Context* context, const void* image, Module** module);
// The module of an image that has been read before.
CUresult LoadModule(Context* context, const image::ModuleImage& image, Module** module);
void UnloadModule(Module* module);

CUresult LoadLibrary(const void* image, uint32_t capability, Library** library);
void UnloadLibrary(Library* library);
// The module of `library` in `context`, loaded on first use.
CUresult ModuleOfLibrary(Library* library, Context* context, Module** module);

Function* FunctionNamed(const std::vector<Function*>& functions, const char* name);

CUresult ImageErrorCode(image::ImageError error);

// The bytes of a file, with a final zero; false when it cannot be read.
bool ReadImageFile(const char* path, std::vector<uint8_t>* bytes);

}  // namespace simgpu::driver
