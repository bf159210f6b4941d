// SPDX-License-Identifier: Apache-2.0
// Kernels without nvcc: PTX text, which the driver compiles.
#pragma once

#include <cuda.h>

#include <map>
#include <string>
#include <vector>

namespace workload {

// Kernels of the given (mangled) names in one module of the current context. Every kernel does `rounds` multiply-adds
// per thread, so that on a real GPU they take the time that their grid and `rounds` ask for.
class DeviceCode {
 public:
  explicit DeviceCode(const std::vector<std::string>& kernel_names);
  ~DeviceCode();
  DeviceCode(const DeviceCode&) = delete;
  DeviceCode& operator=(const DeviceCode&) = delete;

  CUfunction operator[](const std::string& kernel_name) const { return functions_.at(kernel_name); }

 private:
  CUmodule module_ = nullptr;
  std::map<std::string, CUfunction> functions_;
};

// The parameters that every one of these kernels takes.
class KernelArguments {
 public:
  // `data`: at least 4 bytes of device memory.
  KernelArguments(CUdeviceptr data, unsigned rounds) : data_(data), rounds_(rounds), pointers_{&data_, &rounds_} {}
  KernelArguments(const KernelArguments&) = delete;
  KernelArguments& operator=(const KernelArguments&) = delete;

  void** pointers() { return pointers_; }

 private:
  CUdeviceptr data_;
  unsigned rounds_;
  void* pointers_[2];
};

}  // namespace workload
