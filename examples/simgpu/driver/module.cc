// SPDX-License-Identifier: Apache-2.0
#include "driver/module.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unordered_set>

#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/memory.h"
#include "driver/process.h"
#include "driver/time_model.h"

namespace simgpu::driver {
namespace {

std::atomic<uint32_t> g_next_module_id{1};

Function* NewFunction(const image::Kernel& code, Module* module, Library* library) {
  Function* const function = HandlePool<Function>::New();
  function->code = code;
  function->name = Intern(code.name);
  function->module = module;
  function->library = library;
  function->rule = RuleFor(function->name);
  return function;
}

CUresult CreateGlobals(Module* module) {
  for (const image::Variable& variable : module->image.variables) {
    if (variable.bytes == 0) continue;
    CUdeviceptr address = 0;
    const CUresult result = AllocateDevice(module->context, variable.bytes, AllocationKind::kStatic, &address);
    if (result != CUDA_SUCCESS) return result;
    if (!variable.initial.empty()) std::memcpy(HostPointer(address), variable.initial.data(), variable.initial.size());
    module->globals[variable.name] = {address, variable.bytes};
  }
  return CUDA_SUCCESS;
}

void ReportModule(CUpti_CallbackIdResource id, const Module& module) {
  Tool* const tool = AttachedTool();
  if (tool == nullptr) return;
  CUpti_ModuleResourceData data = {};
  data.moduleId = module.id;
  data.cubinSize = module.image.binary.size();
  data.pCubin = reinterpret_cast<const char*>(module.image.binary.data());
  tool->Resource(id, HandleOf(module.context), nullptr, &data);
}

void Discard(Module* module) {
  for (Function* const function : module->functions) HandlePool<Function>::Delete(function);
  for (const auto& [name, global] : module->globals) FreeDevice(global.address);
  HandlePool<Module>::Delete(module);
}

// Takes over the image of `module`, which has been filled in.
CUresult Finish(Module* module, Module** out) {
  for (const image::Kernel& kernel : module->image.kernels)
    module->functions.push_back(NewFunction(kernel, module, nullptr));
  if (const CUresult result = CreateGlobals(module); result != CUDA_SUCCESS) {
    Discard(module);
    return result;
  }
  module->id = g_next_module_id.fetch_add(1);
  {
    const std::lock_guard lock(module->context->mutex);
    module->context->modules.insert(module);
  }
  ReportModule(CUPTI_CBID_RESOURCE_MODULE_LOADED, *module);
  *out = module;
  return CUDA_SUCCESS;
}

// Keeps the code itself: the program may drop its image, while profilers and later contexts still ask for it.
void KeepBinary(image::ModuleImage* image) {
  if (image->storage.empty()) image->storage.assign(image->binary.begin(), image->binary.end());
  image->binary = image->storage;
}

uint32_t Capability(const Context& context) {
  const Gpu& gpu = *context.device->ref.gpu;
  return gpu.compute_major * 10 + gpu.compute_minor;
}

}  // namespace

const char* Intern(const std::string& text) {
  static std::mutex& mutex = *new std::mutex;
  // A set of nodes: the strings never move.
  static auto& texts = *new std::unordered_set<std::string>;
  const std::lock_guard lock(mutex);
  return texts.insert(text).first->c_str();
}

Module* FindModule(CUmodule handle) { return HandlePool<Module>::Find(handle); }
Library* FindLibrary(CUlibrary handle) { return HandlePool<Library>::Find(handle); }
Function* FindFunction(const void* handle) { return HandlePool<Function>::Find(handle); }

CUresult ImageErrorCode(image::ImageError error) {
  switch (error) {
    case image::ImageError::kNone:
      return CUDA_SUCCESS;
    case image::ImageError::kBadPtx:
      return CUDA_ERROR_INVALID_PTX;
    case image::ImageError::kNothingForGpu:
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
    case image::ImageError::kNotAnImage:
    case image::ImageError::kDamaged:
      break;
  }
  return CUDA_ERROR_INVALID_IMAGE;
}

CUresult LoadModule(Context* context, const void* image, Module** out) {
  Module* const module = HandlePool<Module>::New(context);
  const image::ImageError error = image::ReadModuleImage(image, Capability(*context), &module->image);
  if (error != image::ImageError::kNone) {
    HandlePool<Module>::Delete(module);
    return ImageErrorCode(error);
  }
  KeepBinary(&module->image);
  return Finish(module, out);
}

CUresult LoadModule(Context* context, const image::ModuleImage& image, Module** out) {
  Module* const module = HandlePool<Module>::New(context);
  module->image = image;
  KeepBinary(&module->image);
  return Finish(module, out);
}

void UnloadModule(Module* module) {
  ReportModule(CUPTI_CBID_RESOURCE_MODULE_UNLOAD_STARTING, *module);
  {
    const std::lock_guard lock(module->context->mutex);
    module->context->modules.erase(module);
  }
  Discard(module);
}

CUresult LoadLibrary(const void* image, uint32_t capability, Library** out) {
  Library* const library = HandlePool<Library>::New();
  const image::ImageError error = image::ReadModuleImage(image, capability, &library->image);
  if (error != image::ImageError::kNone) {
    HandlePool<Library>::Delete(library);
    return ImageErrorCode(error);
  }
  KeepBinary(&library->image);
  for (const image::Kernel& kernel : library->image.kernels)
    library->kernels.push_back(NewFunction(kernel, nullptr, library));
  *out = library;
  return CUDA_SUCCESS;
}

void UnloadLibrary(Library* library) {
  for (Context* const context : AllContexts()) {
    const auto found = library->modules.find(context->id);
    if (found != library->modules.end()) UnloadModule(found->second);
  }
  for (Function* const kernel : library->kernels) HandlePool<Function>::Delete(kernel);
  HandlePool<Library>::Delete(library);
}

CUresult ModuleOfLibrary(Library* library, Context* context, Module** module) {
  const std::lock_guard lock(library->mutex);
  Module*& slot = library->modules[context->id];
  if (slot == nullptr) {
    const CUresult result = LoadModule(context, library->image, &slot);
    if (result != CUDA_SUCCESS) return result;
  }
  *module = slot;
  return CUDA_SUCCESS;
}

Function* FunctionNamed(const std::vector<Function*>& functions, const char* name) {
  const auto same = [&](const Function* function) { return function->code.name == name; };
  const auto found = std::find_if(functions.begin(), functions.end(), same);
  return found != functions.end() ? *found : nullptr;
}

bool ReadImageFile(const char* path, std::vector<uint8_t>* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  bytes->assign(std::istreambuf_iterator<char>(file), {});
  bytes->push_back(0);  // ends PTX text
  return true;
}

}  // namespace simgpu::driver
