// SPDX-License-Identifier: Apache-2.0
#include "driver/context.h"

#include <algorithm>
#include <atomic>

#include "driver/handle_pool.h"
#include "driver/memory.h"
#include "driver/module.h"
#include "driver/process.h"
#include "driver/stream.h"

namespace simgpu::driver {
namespace {

std::atomic<uint32_t> g_next_context_id{1};

// Handles, not pointers to be trusted: another thread may destroy a context that is on this stack. Without a
// destructor, because atexit handlers still make calls after the destructors of thread-local objects have run.
struct ContextStack {
  static constexpr uint32_t kMaxDepth = 256;
  CUcontext entries[kMaxDepth];
  uint32_t depth;

  CUcontext top() const { return depth == 0 ? nullptr : entries[depth - 1]; }
};
thread_local ContextStack t_stack;

struct Registry {
  std::mutex mutex;
  std::vector<Context*> contexts;
};

Registry& Contexts() {
  static Registry& registry = *new Registry;  // for the life of the process
  return registry;
}

}  // namespace

Context::Context(Device* context_device, unsigned context_flags, unsigned version)
    : id(g_next_context_id.fetch_add(1)),
      device(context_device),
      api_version(version),
      flags(context_flags),
      next_stream_id(kFirstStreamId) {}

Context* FindContext(CUcontext handle) { return HandlePool<Context>::Find(handle); }

Context* CreateContext(Device* device, unsigned flags, unsigned api_version) {
  Context* const context = HandlePool<Context>::New(device, flags, api_version);
  context->legacy_stream = CreateDefaultStream(context, LaneKind::kLegacy);
  if (device->posted != nullptr) device->posted->contexts.fetch_add(1);
  const std::lock_guard lock(Contexts().mutex);
  Contexts().contexts.push_back(context);
  return context;
}

void ReportContext(Context* context) {
  if (Tool* const tool = AttachedTool()) {
    const Device& device = *context->device;
    tool->ContextCreated({context->id, device.ordinal, device.ref.sm_count()});
    tool->Resource(CUPTI_CBID_RESOURCE_CONTEXT_CREATED, HandleOf(context), nullptr, nullptr);
  }
}

void DestroyContext(Context* context) {
  Engine::Get().WaitForGroup(context->lanes);
  if (Tool* const tool = AttachedTool()) {
    tool->Resource(CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING, HandleOf(context), nullptr, nullptr);
  }
  for (Module* const module : std::set<Module*>(context->modules)) UnloadModule(module);
  for (Stream* const stream : std::set<Stream*>(context->streams)) DestroyStream(stream);
  ReleaseContextMemory(context);
  if (PostedUse* const posted = context->device->posted) posted->contexts.fetch_sub(1);
  {
    const std::lock_guard lock(Contexts().mutex);
    std::erase(Contexts().contexts, context);
  }
  HandlePool<Context>::Delete(context);
}

Context* CurrentContext() { return FindContext(t_stack.top()); }

CUresult NoContextError() {
  return t_stack.top() != nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT;
}

bool PushContext(Context* context) {
  if (t_stack.depth == ContextStack::kMaxDepth) return false;
  t_stack.entries[t_stack.depth++] = HandleOf(context);
  return true;
}

CUcontext PopContext() {
  const CUcontext top = t_stack.top();
  if (t_stack.depth > 0) --t_stack.depth;
  return top;
}

void SetCurrentContext(Context* context) {
  PopContext();
  if (context != nullptr) PushContext(context);
}

std::vector<Context*> AllContexts() {
  const std::lock_guard lock(Contexts().mutex);
  return Contexts().contexts;
}

}  // namespace simgpu::driver
