// SPDX-License-Identifier: Apache-2.0
// Stream capture: work that goes into a graph instead of to the GPU.
#pragma once

#include <cuda.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "driver/event.h"
#include "driver/graph.h"
#include "driver/stream.h"

namespace simgpu::driver {

// One capture sequence, from its begin to its end, over all streams that take part. Guarded by CaptureMutex().
struct Capture {
  uint64_t id = 0;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
  Stream* origin = nullptr;
  Graph* graph = nullptr;
  bool owns_graph = true;     // until it is handed over; not when it captures into a graph of the program
  std::thread::id thread;     // that began it
  std::set<Stream*> streams;  // that take part
};

std::mutex& CaptureMutex();

// Number of sequences in progress: lets the ordinary case skip all questions about capture.
extern std::atomic<uint32_t> g_captures;
inline bool AnyCapture() { return g_captures.load(std::memory_order_relaxed) != 0; }

// What a call for `stream` has to do.
enum class CaptureDecision { kSubmit, kCapture, kFail };

// Decides about work for `stream`. Work for the legacy stream while a stream it would wait for is capturing spoils that
// capture.
CaptureDecision DecideCapture(Stream* stream, CUresult* error);

// Appends a node to the capture of `stream`, behind what it captured so far. Only after a decision to capture.
CUresult CaptureNode(Stream* stream, NodePayload payload);

// For calls that would wait, or that have an effect no graph can repeat: fails, and spoils the capture, where one
// forbids them.
CUresult ForbidUnsafeCall();
// The same for waiting for `stream` in particular.
CUresult ForbidWait(Stream* stream);

CUresult CaptureEventRecord(Stream* stream, Event* event);
// A stream that waits for a captured event takes part in the capture from then on. Nothing when this is not about a
// capture.
std::optional<CUresult> CaptureEventWait(Stream* stream, Event* event);
bool IsCaptured(Event* event);

// `graph` null: into a new one.
CUresult BeginCapture(Stream* stream, CUstreamCaptureMode mode, Graph* graph, std::vector<GraphNode*> frontier);
CUresult EndCapture(Stream* stream, Graph** graph);
// For a stream that is about to be destroyed: a capture it takes part in cannot succeed any more.
void LeaveCapture(Stream* stream);
// The mode calls of this thread go by.
CUstreamCaptureMode ExchangeThreadCaptureMode(CUstreamCaptureMode mode);

}  // namespace simgpu::driver
