// SPDX-License-Identifier: Apache-2.0
// Modules and libraries of code.
#include "bodies.h"
#include "driver/capture.h"
#include "driver/context.h"
#include "driver/module.h"
#include "driver/process.h"

namespace simgpu::driver::api {
namespace {

CUmodule HandleOf(Module* module) { return reinterpret_cast<CUmodule>(module); }
CUfunction FunctionHandle(Function* function) { return reinterpret_cast<CUfunction>(function); }
CUkernel KernelHandle(Function* function) { return reinterpret_cast<CUkernel>(function); }

// The GPU that code without a context has to fit: that of the current context, or the first.
uint32_t CapabilityNow() {
  const Context* const context = CurrentContext();
  const Gpu& gpu = *(context != nullptr ? context->device : Process::Get().DeviceAt(0))->ref.gpu;
  return gpu.compute_major * 10 + gpu.compute_minor;
}

CUresult LoadFrom(const void* image, CUlibrary* library) {
  Library* loaded = nullptr;
  const CUresult result = LoadLibrary(image, CapabilityNow(), &loaded);
  if (result == CUDA_SUCCESS) *library = reinterpret_cast<CUlibrary>(loaded);
  return result;
}

CUresult FindGlobal(const Module& module, const char* name, CUdeviceptr* address, size_t* bytes) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto found = module.globals.find(name);
  if (found == module.globals.end()) return CUDA_ERROR_NOT_FOUND;
  if (address != nullptr) *address = found->second.address;
  if (bytes != nullptr) *bytes = found->second.bytes;
  return CUDA_SUCCESS;
}

CUresult Enumerate(const std::vector<Function*>& functions, void** out, unsigned int count) {
  if (out == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < count && i < functions.size(); ++i) out[i] = functions[i];
  return CUDA_SUCCESS;
}

}  // namespace

CUresult ModuleLoadData(CUmodule* module, const void* image) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (module == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  Module* loaded = nullptr;
  const CUresult result = LoadModule(context, image, &loaded);
  if (result == CUDA_SUCCESS) *module = HandleOf(loaded);
  return result;
}

CUresult ModuleLoadDataEx(CUmodule* module, const void* image, unsigned int, CUjit_option*, void**) {
  return ModuleLoadData(module, image);
}

CUresult ModuleLoadFatBinary(CUmodule* module, const void* fatCubin) { return ModuleLoadData(module, fatCubin); }

CUresult ModuleLoad(CUmodule* module, const char* fname) {
  std::vector<uint8_t> bytes;
  if (fname == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!ReadImageFile(fname, &bytes)) return CUDA_ERROR_FILE_NOT_FOUND;
  return ModuleLoadData(module, bytes.data());
}

CUresult ModuleUnload(CUmodule hmod) {
  Module* const module = FindModule(hmod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  UnloadModule(module);
  return CUDA_SUCCESS;
}

CUresult ModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = CU_MODULE_EAGER_LOADING;
  return CUDA_SUCCESS;
}

CUresult ModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name) {
  const Module* const module = FindModule(hmod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (hfunc == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Function* const function = FunctionNamed(module->functions, name);
  if (function == nullptr) return CUDA_ERROR_NOT_FOUND;
  *hfunc = FunctionHandle(function);
  return CUDA_SUCCESS;
}

CUresult ModuleGetFunctionCount(unsigned int* count, CUmodule mod) {
  const Module* const module = FindModule(mod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<unsigned>(module->functions.size());
  return CUDA_SUCCESS;
}

CUresult ModuleEnumerateFunctions(CUfunction* functions, unsigned int numFunctions, CUmodule mod) {
  const Module* const module = FindModule(mod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return Enumerate(module->functions, reinterpret_cast<void**>(functions), numFunctions);
}

CUresult ModuleGetGlobal_v2(CUdeviceptr* dptr, size_t* bytes, CUmodule hmod, const char* name) {
  const Module* const module = FindModule(hmod);
  return module != nullptr ? FindGlobal(*module, name, dptr, bytes) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult LibraryLoadData(CUlibrary* library, const void* code, CUjit_option*, void**, unsigned int, CUlibraryOption*,
                         void**, unsigned int) {
  if (library == nullptr || code == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return LoadFrom(code, library);
}

CUresult LibraryLoadFromFile(CUlibrary* library, const char* fileName, CUjit_option*, void**, unsigned int,
                             CUlibraryOption*, void**, unsigned int) {
  std::vector<uint8_t> bytes;
  if (library == nullptr || fileName == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!ReadImageFile(fileName, &bytes)) return CUDA_ERROR_FILE_NOT_FOUND;
  return LoadFrom(bytes.data(), library);
}

CUresult LibraryUnload(CUlibrary library) {
  Library* const found = FindLibrary(library);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  UnloadLibrary(found);
  return CUDA_SUCCESS;
}

CUresult LibraryGetKernel(CUkernel* pKernel, CUlibrary library, const char* name) {
  const Library* const found = FindLibrary(library);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pKernel == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Function* const kernel = FunctionNamed(found->kernels, name);
  if (kernel == nullptr) return CUDA_ERROR_NOT_FOUND;
  *pKernel = KernelHandle(kernel);
  return CUDA_SUCCESS;
}

CUresult LibraryGetKernelCount(unsigned int* count, CUlibrary lib) {
  const Library* const library = FindLibrary(lib);
  if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<unsigned>(library->kernels.size());
  return CUDA_SUCCESS;
}

CUresult LibraryEnumerateKernels(CUkernel* kernels, unsigned int numKernels, CUlibrary lib) {
  const Library* const library = FindLibrary(lib);
  if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return Enumerate(library->kernels, reinterpret_cast<void**>(kernels), numKernels);
}

CUresult LibraryGetModule(CUmodule* pMod, CUlibrary library) {
  Library* const found = FindLibrary(library);
  Context* const context = CurrentContext();
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (context == nullptr) return NoContextError();
  if (pMod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Module* module = nullptr;
  const CUresult result = ModuleOfLibrary(found, context, &module);
  if (result == CUDA_SUCCESS) *pMod = HandleOf(module);
  return result;
}

CUresult LibraryGetGlobal(CUdeviceptr* dptr, size_t* bytes, CUlibrary library, const char* name) {
  CUmodule module = nullptr;
  if (const CUresult result = LibraryGetModule(&module, library); result != CUDA_SUCCESS) return result;
  return FindGlobal(*FindModule(module), name, dptr, bytes);
}

CUresult LibraryGetManaged(CUdeviceptr* dptr, size_t* bytes, CUlibrary library, const char* name) {
  return LibraryGetGlobal(dptr, bytes, library, name);
}

CUresult KernelGetFunction(CUfunction* pFunc, CUkernel kernel) {
  const Function* const found = FindFunction(kernel);
  if (found == nullptr || found->library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pFunc == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUmodule module = nullptr;
  const CUresult result = LibraryGetModule(&module, reinterpret_cast<CUlibrary>(found->library));
  if (result != CUDA_SUCCESS) return result;
  *pFunc = FunctionHandle(FunctionNamed(FindModule(module)->functions, found->name));
  return CUDA_SUCCESS;
}

CUresult KernelGetLibrary(CUlibrary* pLib, CUkernel kernel) {
  const Function* const found = FindFunction(kernel);
  if (found == nullptr || found->library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pLib == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pLib = reinterpret_cast<CUlibrary>(found->library);
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
