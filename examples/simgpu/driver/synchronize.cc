// SPDX-License-Identifier: Apache-2.0
#include "driver/synchronize.h"

#include <cupti_activity.h>

#include "driver/capture.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/event.h"
#include "driver/process.h"
#include "driver/stream.h"

namespace simgpu::driver {
namespace {

void ReportDone(CUpti_CallbackIdSync id, Context* context, Stream* stream) {
  if (Tool* const tool = AttachedTool()) tool->Synchronized(id, HandleOf(context), HandleOf(stream));
}

}  // namespace

void ReportSynchronization(uint32_t type, const Context& context, uint32_t stream_id, uint32_t event_id,
                           uint64_t start_ns, CUresult result) {
  Tool* const tool = AttachedTool();
  if (tool == nullptr) return;
  tool->Waited({type, context.id, stream_id, event_id, t_call.correlation_id, static_cast<uint32_t>(result), start_ns,
                Clock::Get().NowNs()});
}

CUresult SynchronizeContext(Context* context) {
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  Clock& clock = Clock::Get();
  const uint64_t start_ns = clock.NowNs();
  clock.WaitUntil(Engine::Get().WaitForGroup(context->lanes));
  ReportSynchronization(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE, *context,
                        CUPTI_SYNCHRONIZATION_INVALID_VALUE, CUPTI_SYNCHRONIZATION_INVALID_VALUE, start_ns,
                        CUDA_SUCCESS);
  ReportDone(CUPTI_CBID_SYNCHRONIZE_CONTEXT_SYNCHRONIZED, context, nullptr);
  return CUDA_SUCCESS;
}

void WaitForStream(Stream* stream) { Clock::Get().WaitUntil(Engine::Get().WaitForLane(stream->lane)); }

CUresult SynchronizeStream(Stream* stream) {
  if (const CUresult result = ForbidWait(stream); result != CUDA_SUCCESS) return result;
  const uint64_t start_ns = Clock::Get().NowNs();
  WaitForStream(stream);
  ReportSynchronization(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE, *stream->context, stream->id,
                        CUPTI_SYNCHRONIZATION_INVALID_VALUE, start_ns, CUDA_SUCCESS);
  ReportDone(CUPTI_CBID_SYNCHRONIZE_STREAM_SYNCHRONIZED, stream->context, stream);
  return CUDA_SUCCESS;
}

CUresult SynchronizeEvent(Event* event) {
  if (IsCaptured(event)) return CUDA_ERROR_CAPTURED_EVENT;
  Clock& clock = Clock::Get();
  const uint64_t start_ns = clock.NowNs();
  Engine& engine = Engine::Get();
  uint64_t time_ns = 0;
  {
    std::unique_lock lock(engine.mutex());
    const std::shared_ptr<Moment> moment = event->moment;
    if (moment != nullptr) {
      engine.progress().wait(lock, [&] { return moment->reached; });
      time_ns = moment->time_ns;
    }
  }
  clock.WaitUntil(time_ns);
  ReportSynchronization(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_EVENT_SYNCHRONIZE, *event->context,
                        CUPTI_SYNCHRONIZATION_INVALID_VALUE, event->id, start_ns, CUDA_SUCCESS);
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver
