// SPDX-License-Identifier: Apache-2.0
// Contexts, and which of them is current to a thread.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "driver/device.h"
#include "driver/lane.h"

namespace simgpu::driver {

struct Module;
struct Stream;

struct Context {
  Context(Device* context_device, unsigned context_flags, unsigned version);

  const uint32_t id;  // unique in the process, never used again
  Device* const device;
  const unsigned api_version;
  const std::shared_ptr<LaneGroup> lanes = std::make_shared<LaneGroup>();
  bool is_primary = false;

  std::mutex mutex;  // guards what follows
  unsigned flags;
  Stream* legacy_stream = nullptr;
  std::map<std::thread::id, Stream*> per_thread_streams;
  std::set<Stream*> streams;  // all of them
  std::set<Module*> modules;
  std::map<CUlimit, size_t> limit_values;
  std::set<Context*> peers;
  CUfunc_cache cache_config = CU_FUNC_CACHE_PREFER_NONE;
  uint32_t next_stream_id;
};

inline CUcontext HandleOf(Context* context) { return reinterpret_cast<CUcontext>(context); }

// Null when `handle` is not a living context.
Context* FindContext(CUcontext handle);

// Creates a context; does not make it current. ReportContext has to follow.
Context* CreateContext(Device* device, unsigned flags, unsigned api_version);
// Tells the profiler of a new context.
void ReportContext(Context* context);
// Destroys everything in it and takes it off no stack: threads that have it current find it gone.
void DestroyContext(Context* context);

// The context on top of this thread's stack; null when there is none or it was destroyed.
Context* CurrentContext();
// Why CurrentContext is null.
CUresult NoContextError();

// False when the stack is full.
bool PushContext(Context* context);
// The handle that was on top, living or not; null on an empty stack.
CUcontext PopContext();
// Replaces the top of the stack; null pops it.
void SetCurrentContext(Context* context);

// Every living context, oldest first.
std::vector<Context*> AllContexts();

}  // namespace simgpu::driver
