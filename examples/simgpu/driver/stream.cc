// SPDX-License-Identifier: Apache-2.0
#include "driver/stream.h"

#include <cupti_activity.h>

#include <atomic>

#include "driver/capture.h"
#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

std::atomic<uint64_t> g_next_unique_id{1};

uint32_t NewStreamId(Context* context, LaneKind kind) {
  if (kind == LaneKind::kLegacy) return kDefaultStreamId;
  const std::lock_guard lock(context->mutex);
  return context->next_stream_id++;
}

void Register(Stream* stream) {
  Context* const context = stream->context;
  {
    const std::lock_guard lock(context->mutex);
    context->streams.insert(stream);
  }
  Tool* const tool = AttachedTool();
  if (tool == nullptr || stream->is_default) return;
  const bool blocking = stream->lane->kind == LaneKind::kBlocking;
  tool->StreamCreated({context->id, stream->id, static_cast<uint32_t>(stream->priority),
                       static_cast<uint32_t>(blocking ? CUPTI_ACTIVITY_STREAM_CREATE_FLAG_DEFAULT
                                                      : CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NON_BLOCKING),
                       t_call.correlation_id});
  tool->Resource(CUPTI_CBID_RESOURCE_STREAM_CREATED, HandleOf(context), HandleOf(stream), nullptr);
}

}  // namespace

Stream::Stream(Context* stream_context, LaneKind kind, bool default_stream, unsigned stream_flags, int stream_priority)
    : context(stream_context),
      id(NewStreamId(stream_context, kind)),
      unique_id(g_next_unique_id.fetch_add(1)),
      flags(stream_flags),
      priority(stream_priority),
      is_default(default_stream),
      lane(std::make_shared<Lane>(kind, stream_context->lanes)) {}

Stream* CreateStream(Context* context, unsigned flags, int priority) {
  const LaneKind kind = (flags & CU_STREAM_NON_BLOCKING) != 0 ? LaneKind::kNonBlocking : LaneKind::kBlocking;
  Stream* const stream = HandlePool<Stream>::New(context, kind, false, flags, priority);
  Register(stream);
  return stream;
}

Stream* CreateDefaultStream(Context* context, LaneKind kind) {
  Stream* const stream =
      HandlePool<Stream>::New(context, kind, true, static_cast<unsigned>(CU_STREAM_DEFAULT), kLowestPriority);
  Register(stream);
  return stream;
}

void DestroyStream(Stream* stream) {
  Context* const context = stream->context;
  LeaveCapture(stream);
  if (Tool* const tool = AttachedTool(); tool != nullptr && !stream->is_default) {
    tool->Resource(CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING, HandleOf(context), HandleOf(stream), nullptr);
  }
  {
    const std::lock_guard lock(context->mutex);
    context->streams.erase(stream);
    std::erase_if(context->per_thread_streams, [&](const auto& entry) { return entry.second == stream; });
  }
  // Its lane lives on as long as work is queued in it.
  HandlePool<Stream>::Delete(stream);
}

Stream* LegacyStream(Context* context) { return context->legacy_stream; }

Stream* PerThreadStream(Context* context) {
  const std::thread::id thread = std::this_thread::get_id();
  {
    const std::lock_guard lock(context->mutex);
    const auto found = context->per_thread_streams.find(thread);
    if (found != context->per_thread_streams.end()) return found->second;
  }
  Stream* const stream = CreateDefaultStream(context, LaneKind::kBlocking);
  const std::lock_guard lock(context->mutex);
  context->per_thread_streams[thread] = stream;
  return stream;
}

Stream* FindStream(CUstream handle) { return HandlePool<Stream>::Find(handle); }

Stream* ResolveStream(CUstream handle, CUresult* error) {
  const bool is_special = handle == nullptr || handle == CU_STREAM_LEGACY || handle == CU_STREAM_PER_THREAD;
  if (!is_special) {
    Stream* const stream = FindStream(handle);
    if (stream == nullptr) *error = CUDA_ERROR_INVALID_HANDLE;
    return stream;
  }
  Context* const context = CurrentContext();
  if (context == nullptr) {
    *error = NoContextError();
    return nullptr;
  }
  const bool per_thread = handle == CU_STREAM_PER_THREAD || (handle == nullptr && t_call.per_thread_default_stream);
  return per_thread ? PerThreadStream(context) : LegacyStream(context);
}

}  // namespace simgpu::driver
