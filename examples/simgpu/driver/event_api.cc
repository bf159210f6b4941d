// SPDX-License-Identifier: Apache-2.0
#include <cupti_activity.h>

#include "bodies.h"
#include "driver/capture.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/event.h"
#include "driver/handle_pool.h"
#include "driver/process.h"
#include "driver/stream.h"
#include "driver/synchronize.h"

namespace simgpu::driver::api {
namespace {

constexpr unsigned kEventFlags = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;

// The moment of a recorded event whose work is done by now; null otherwise.
std::shared_ptr<Moment> DoneMoment(Event* event, CUresult* error) {
  const std::lock_guard lock(Engine::Get().mutex());
  const std::shared_ptr<Moment> moment = event->moment;
  if (moment == nullptr) {
    *error = CUDA_ERROR_INVALID_HANDLE;
    return nullptr;
  }
  if (!moment->reached || moment->time_ns > Clock::Get().NowNs()) {
    *error = CUDA_ERROR_NOT_READY;
    return nullptr;
  }
  return moment;
}

void ReportRecord(const Event& event, const Stream& stream) {
  Tool* const tool = AttachedTool();
  if (tool == nullptr) return;
  uint64_t time_ns = 0;
  {
    const std::lock_guard lock(Engine::Get().mutex());
    if (event.moment != nullptr) time_ns = event.moment->time_ns;
  }
  tool->EventRecorded(
      {stream.context->device->ordinal, stream.context->id, stream.id, event.id, t_call.correlation_id, time_ns});
}

}  // namespace

CUresult EventCreate(CUevent* phEvent, unsigned int Flags) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (phEvent == nullptr || (Flags & ~kEventFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  if ((Flags & CU_EVENT_INTERPROCESS) != 0 && (Flags & CU_EVENT_DISABLE_TIMING) == 0) return CUDA_ERROR_INVALID_VALUE;
  *phEvent = HandleOf(HandlePool<Event>::New(context, Flags));
  return CUDA_SUCCESS;
}

CUresult EventDestroy_v2(CUevent hEvent) {
  Event* const event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  HandlePool<Event>::Delete(event);
  return CUDA_SUCCESS;
}

CUresult EventDestroy(CUevent hEvent) { return EventDestroy_v2(hEvent); }

CUresult EventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags) {
  Event* const event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if ((flags & ~static_cast<unsigned>(CU_EVENT_RECORD_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (stream->context != event->context) return CUDA_ERROR_INVALID_HANDLE;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      if ((flags & CU_EVENT_RECORD_EXTERNAL) != 0) return CaptureNode(stream, EventRecordNode{event});
      return CaptureEventRecord(stream, event);
    case CaptureDecision::kSubmit:
      break;
  }
  if (AnyCapture()) {
    const std::lock_guard lock(CaptureMutex());
    event->capture.reset();
  }
  RecordOnLane(event, stream->lane);
  ReportRecord(*event, *stream);
  return CUDA_SUCCESS;
}

CUresult EventRecord(CUevent hEvent, CUstream hStream) {
  return EventRecordWithFlags(hEvent, hStream, CU_EVENT_RECORD_DEFAULT);
}

CUresult EventQuery(CUevent hEvent) {
  Event* const event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (IsCaptured(event)) return CUDA_ERROR_CAPTURED_EVENT;
  CUresult error = CUDA_SUCCESS;
  if (DoneMoment(event, &error) != nullptr) return CUDA_SUCCESS;
  // An event that was never recorded counts as done.
  return error == CUDA_ERROR_INVALID_HANDLE ? CUDA_SUCCESS : error;
}

CUresult EventSynchronize(CUevent hEvent) {
  Event* const event = FindEvent(hEvent);
  return event != nullptr ? SynchronizeEvent(event) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult EventElapsedTime_v2(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  Event* const start = FindEvent(hStart);
  Event* const end = FindEvent(hEnd);
  if (start == nullptr || end == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pMilliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) != 0) return CUDA_ERROR_INVALID_HANDLE;
  CUresult error = CUDA_SUCCESS;
  const std::shared_ptr<Moment> from = DoneMoment(start, &error);
  if (from == nullptr) return error;
  const std::shared_ptr<Moment> to = DoneMoment(end, &error);
  if (to == nullptr) return error;
  // As a difference of integers: a double could not tell two moments of this century apart by a nanosecond.
  const int64_t elapsed_ns = static_cast<int64_t>(to->time_ns - from->time_ns);
  *pMilliseconds = static_cast<float>(static_cast<double>(elapsed_ns) / 1e6);
  return CUDA_SUCCESS;
}

CUresult EventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  return EventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}

}  // namespace simgpu::driver::api
