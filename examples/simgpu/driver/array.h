// SPDX-License-Identifier: Apache-2.0
// CUDA arrays: here, rows of elements in device memory. Textures and surfaces of them are not simulated.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>

namespace simgpu::driver {

struct Context;

struct Array {
  Context* context = nullptr;
  CUDA_ARRAY3D_DESCRIPTOR descriptor = {};
  size_t element_bytes = 0;
  CUdeviceptr address = 0;

  size_t row_bytes() const { return descriptor.Width * element_bytes; }
  size_t rows() const { return descriptor.Height != 0 ? descriptor.Height : 1; }
  size_t slices() const { return descriptor.Depth != 0 ? descriptor.Depth : 1; }
};

Array* FindArray(CUarray handle);

}  // namespace simgpu::driver
