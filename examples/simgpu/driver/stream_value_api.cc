// SPDX-License-Identifier: Apache-2.0
// Streams that write to memory, or wait for what is written to it.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "bodies.h"
#include "driver/capture.h"
#include "driver/clock.h"
#include "driver/memory.h"
#include "driver/stream.h"

namespace simgpu::driver::api {
namespace {

template <class Value>
class WriteValue : public Operation {
 public:
  WriteValue(CUdeviceptr address, Value value) : address_(static_cast<Value*>(HostPointer(address))), value_(value) {}
  uint64_t Schedule(uint64_t ready_ns) override { return ready_ns; }
  void Perform() override { std::atomic_ref(*address_).store(value_); }

 private:
  Value* const address_;
  const Value value_;
};

template <class Value>
class WaitValue : public Operation {
 public:
  WaitValue(CUdeviceptr address, Value value, unsigned flags)
      : address_(static_cast<Value*>(HostPointer(address))), value_(value), condition_(flags & 3) {}

  bool CanStart() const override {
    const Value now = std::atomic_ref(*address_).load();
    switch (condition_) {
      case CU_STREAM_WAIT_VALUE_GEQ:
        return static_cast<std::make_signed_t<Value>>(now - value_) >= 0;
      case CU_STREAM_WAIT_VALUE_EQ:
        return now == value_;
      case CU_STREAM_WAIT_VALUE_AND:
        return (now & value_) != 0;
      default:
        return ~(now | value_) != 0;
    }
  }
  bool MustPoll() const override { return true; }
  // Whoever wrote the value did it by now.
  uint64_t Schedule(uint64_t ready_ns) override { return std::max(ready_ns, Clock::Get().NowNs()); }

 private:
  Value* const address_;
  const Value value_;
  const unsigned condition_;
};

template <class Made>
CUresult SubmitTo(CUstream handle, CUdeviceptr address, size_t bytes, Made operation) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  if (address % bytes != 0 || !IsKnownRange(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidWait(stream); result != CUDA_SUCCESS) return result;
  Engine::Get().Submit(stream->lane, std::move(operation));
  return CUDA_SUCCESS;
}

}  // namespace

CUresult StreamWriteValue32_v2(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int) {
  return SubmitTo(stream, addr, sizeof(value), WriteValue<uint32_t>(addr, value));
}

CUresult StreamWriteValue64_v2(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int) {
  return SubmitTo(stream, addr, sizeof(value), WriteValue<uint64_t>(addr, value));
}

CUresult StreamWaitValue32_v2(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags) {
  return SubmitTo(stream, addr, sizeof(value), WaitValue<uint32_t>(addr, value, flags));
}

CUresult StreamWaitValue64_v2(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags) {
  return SubmitTo(stream, addr, sizeof(value), WaitValue<uint64_t>(addr, value, flags));
}

CUresult StreamWriteValue32(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags) {
  return StreamWriteValue32_v2(stream, addr, value, flags);
}

CUresult StreamWriteValue64(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags) {
  return StreamWriteValue64_v2(stream, addr, value, flags);
}

CUresult StreamWaitValue32(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags) {
  return StreamWaitValue32_v2(stream, addr, value, flags);
}

CUresult StreamWaitValue64(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags) {
  return StreamWaitValue64_v2(stream, addr, value, flags);
}

}  // namespace simgpu::driver::api
