// SPDX-License-Identifier: Apache-2.0
// Streams, and functions of the program that run in their order.
#include <cupti_activity.h>

#include <algorithm>

#include "bodies.h"
#include "driver/capture.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/host_function.h"
#include "driver/process.h"
#include "driver/stream.h"
#include "driver/synchronize.h"
#include "driver/time_model.h"

namespace simgpu::driver::api {
namespace {

// Runs a function of the program when the work before it is done.
class HostFunction : public Operation {
 public:
  HostFunction(CUhostFn function, void* argument, uint64_t queued_ns)
      : function_(function), argument_(argument), queued_ns_(queued_ns) {}

  bool RunsHostCode() const override { return true; }
  uint64_t Schedule(uint64_t ready_ns) override {
    start_ns_ = std::max(ready_ns, queued_ns_);
    return start_ns_ + Model().host_function_ns;
  }
  void Perform() override {
    Clock::Get().SleepUntil(start_ns_);
    RunHostFunction(function_, argument_);
  }

 private:
  const CUhostFn function_;
  void* const argument_;
  const uint64_t queued_ns_;
  uint64_t start_ns_ = 0;
};

// The older form, which is told the stream and a status.
struct StreamCallback {
  CUstreamCallback function;
  void* argument;
  CUstream stream;

  static void Run(void* callback) {
    const StreamCallback self = *static_cast<StreamCallback*>(callback);
    delete static_cast<StreamCallback*>(callback);
    self.function(self.stream, CUDA_SUCCESS, self.argument);
  }
};

CUresult SubmitHostFunction(Stream* stream, CUhostFn function, void* argument) {
  Engine::Get().Submit(stream->lane, HostFunction(function, argument, Clock::Get().NowNs()));
  return CUDA_SUCCESS;
}

CUresult Create(CUstream* phStream, unsigned flags, int priority) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (phStream == nullptr || (flags & ~static_cast<unsigned>(CU_STREAM_NON_BLOCKING)) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  *phStream = HandleOf(CreateStream(context, flags, std::clamp(priority, kHighestPriority, kLowestPriority)));
  return CUDA_SUCCESS;
}

}  // namespace

CUresult StreamCreate(CUstream* phStream, unsigned int Flags) { return Create(phStream, Flags, kLowestPriority); }

CUresult StreamCreateWithPriority(CUstream* phStream, unsigned int flags, int priority) {
  return Create(phStream, flags, priority);
}

CUresult StreamDestroy_v2(CUstream hStream) {
  Stream* const stream = FindStream(hStream);
  if (stream == nullptr || stream->is_default) return CUDA_ERROR_INVALID_HANDLE;
  DestroyStream(stream);
  return CUDA_SUCCESS;
}

CUresult StreamDestroy(CUstream hStream) { return StreamDestroy_v2(hStream); }

CUresult StreamGetPriority(CUstream hStream, int* priority) {
  CUresult error = CUDA_SUCCESS;
  const Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (priority == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *priority = stream->priority;
  return CUDA_SUCCESS;
}

CUresult StreamGetFlags(CUstream hStream, unsigned int* flags) {
  CUresult error = CUDA_SUCCESS;
  const Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = stream->flags;
  return CUDA_SUCCESS;
}

CUresult StreamGetId(CUstream hStream, unsigned long long* streamId) {
  CUresult error = CUDA_SUCCESS;
  const Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (streamId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *streamId = stream->unique_id;
  return CUDA_SUCCESS;
}

CUresult StreamGetCtx(CUstream hStream, CUcontext* pctx) {
  CUresult error = CUDA_SUCCESS;
  const Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pctx = HandleOf(stream->context);
  return CUDA_SUCCESS;
}

CUresult StreamGetDevice(CUstream hStream, CUdevice* device) {
  CUresult error = CUDA_SUCCESS;
  const Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *device = static_cast<CUdevice>(stream->context->device->ordinal);
  return CUDA_SUCCESS;
}

CUresult StreamQuery(CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (const CUresult result = ForbidWait(stream); result != CUDA_SUCCESS) return result;
  uint64_t done_ns = 0;
  const bool carried_out = Engine::Get().DoneTime(stream->lane, &done_ns);
  return carried_out && done_ns <= Clock::Get().NowNs() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult StreamSynchronize(CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  return stream != nullptr ? SynchronizeStream(stream) : error;
}

CUresult StreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  Event* const event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if ((Flags & ~static_cast<unsigned>(CU_EVENT_WAIT_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
  if ((Flags & CU_EVENT_WAIT_EXTERNAL) == 0) {
    if (const std::optional<CUresult> captured = CaptureEventWait(stream, event)) return *captured;
  } else if (DecideCapture(stream, &error) == CaptureDecision::kCapture) {
    return CaptureNode(stream, EventWaitNode{event});
  }
  std::shared_ptr<Moment> moment;
  {
    const std::lock_guard lock(Engine::Get().mutex());
    moment = event->moment;
  }
  const uint64_t now_ns = Clock::Get().NowNs();
  // Waiting for an event that was never recorded is no wait.
  if (moment != nullptr) Engine::Get().Submit(stream->lane, WaitForMoment(std::move(moment)));
  ReportSynchronization(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT, *stream->context, stream->id, event->id,
                        now_ns, CUDA_SUCCESS);
  return CUDA_SUCCESS;
}

CUresult LaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      return CaptureNode(stream, HostNode{{fn, userData}});
    case CaptureDecision::kSubmit:
      break;
  }
  return SubmitHostFunction(stream, fn, userData);
}

CUresult StreamAddCallback(CUstream hStream, CUstreamCallback callback, void* userData, unsigned int flags) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidWait(stream); result != CUDA_SUCCESS) return result;
  return SubmitHostFunction(stream, &StreamCallback::Run, new StreamCallback{callback, userData, hStream});
}

CUresult StreamGetAttribute(CUstream hStream, CUstreamAttrID attr, CUstreamAttrValue* value_out) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (value_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(stream->context->mutex);
  const auto found = stream->attributes.find(attr);
  *value_out = found != stream->attributes.end() ? found->second : CUstreamAttrValue{};
  return CUDA_SUCCESS;
}

CUresult StreamSetAttribute(CUstream hStream, CUstreamAttrID attr, const CUstreamAttrValue* value) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  {
    const std::lock_guard lock(stream->context->mutex);
    stream->attributes[attr] = *value;
  }
  if (Tool* const tool = AttachedTool()) {
    CUpti_StreamAttrData data = {HandleOf(stream), attr, value};
    tool->Resource(CUPTI_CBID_RESOURCE_STREAM_ATTRIBUTE_CHANGED, HandleOf(stream->context), HandleOf(stream), &data);
  }
  return CUDA_SUCCESS;
}

CUresult StreamCopyAttributes(CUstream dst, CUstream src) {
  CUresult error = CUDA_SUCCESS;
  Stream* const to = ResolveStream(dst, &error);
  Stream* const from = to != nullptr ? ResolveStream(src, &error) : nullptr;
  if (from == nullptr) return error;
  if (to->context != from->context) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(to->context->mutex);
  to->attributes = from->attributes;
  return CUDA_SUCCESS;
}

CUresult StreamAttachMemAsync(CUstream hStream, CUdeviceptr, size_t, unsigned int) {
  CUresult error = CUDA_SUCCESS;
  return ResolveStream(hStream, &error) != nullptr ? CUDA_SUCCESS : error;
}

}  // namespace simgpu::driver::api
