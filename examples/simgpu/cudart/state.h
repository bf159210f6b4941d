// SPDX-License-Identifier: Apache-2.0
// What the runtime remembers: the last error and the device of each thread, and the primary contexts it uses.
#pragma once

#include <cuda.h>
#include <driver_types.h>

namespace simgpu::runtime {

// Initialises the driver, once.
cudaError_t Start();

// Makes sure that the calling thread has a current context: that of its device.
cudaError_t EnsureContext();

// Remembers an error for cudaGetLastError, and returns it. cudaErrorNotReady is no error.
cudaError_t Fail(cudaError_t error);
// The same for the result of a driver call. The two number their errors alike.
inline cudaError_t Result(CUresult result) { return Fail(static_cast<cudaError_t>(result)); }

cudaError_t LastError();
void ClearLastError();

int DeviceOfThread();
cudaError_t SetDeviceOfThread(int device);
// Forgets the primary context of a device after a reset.
void ForgetContext(int device);
CUcontext ContextOfDevice(int device);

}  // namespace simgpu::runtime
