// SPDX-License-Identifier: Apache-2.0
// Streams, and the special handles that stand for the default ones.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "driver/lane.h"

namespace simgpu::driver {

struct Capture;
struct Context;
struct GraphNode;

// Ids as profilers show them: real drivers also number the default stream 7 and the program's own from 13.
constexpr uint32_t kDefaultStreamId = 7;
constexpr uint32_t kFirstStreamId = 13;

struct Stream {
  Stream(Context* stream_context, LaneKind kind, bool default_stream, unsigned stream_flags, int stream_priority);

  Context* const context;
  const uint32_t id;         // unique in the context
  const uint64_t unique_id;  // in the process: cuStreamGetId
  const unsigned flags;
  const int priority;
  const bool is_default;  // of the context, or of a thread
  const std::shared_ptr<Lane> lane;
  std::map<int, CUstreamAttrValue> attributes;  // what the program set; guarded by the context's mutex

  // Guarded by CaptureMutex().
  std::shared_ptr<Capture> capture;          // null unless work is being captured
  std::vector<GraphNode*> capture_frontier;  // what the next captured node depends on
};

inline CUstream HandleOf(Stream* stream) { return reinterpret_cast<CUstream>(stream); }

constexpr int kLowestPriority = 0;
constexpr int kHighestPriority = -5;

Stream* CreateStream(Context* context, unsigned flags, int priority);
// The legacy default stream of a context, or the default stream of the calling thread in it.
Stream* CreateDefaultStream(Context* context, LaneKind kind);
void DestroyStream(Stream* stream);

// The stream `handle` stands for. A null one is the default stream of the current context: the legacy one, or the
// calling thread's in a call of a program compiled for that. On failure null, with the reason in `error`.
Stream* ResolveStream(CUstream handle, CUresult* error);

Stream* LegacyStream(Context* context);
Stream* PerThreadStream(Context* context);

// The handle as it is; null when no such stream lives.
Stream* FindStream(CUstream handle);

}  // namespace simgpu::driver
