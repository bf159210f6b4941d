// SPDX-License-Identifier: Apache-2.0
#include "driver/capture.h"

#include <algorithm>
#include <optional>

#include "driver/context.h"

namespace simgpu::driver {

std::atomic<uint32_t> g_captures{0};

namespace {

thread_local CUstreamCaptureMode t_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
std::atomic<uint64_t> g_next_capture_id{1};

// Sequences in progress. Guarded by CaptureMutex().
std::vector<std::shared_ptr<Capture>>& Sequences() {
  static auto& sequences = *new std::vector<std::shared_ptr<Capture>>;
  return sequences;
}

bool Includes(const std::vector<GraphNode*>& nodes, const GraphNode* node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

void Merge(const std::vector<GraphNode*>& more, std::vector<GraphNode*>* frontier) {
  for (GraphNode* const node : more) {
    if (!Includes(*frontier, node)) frontier->push_back(node);
  }
}

void Spoil(Capture* capture) { capture->status = CU_STREAM_CAPTURE_STATUS_INVALIDATED; }

// A stream other than the origin took part, and nothing of the origin waits for its last node.
bool IsUnjoined(const Capture& capture) {
  for (Stream* const stream : capture.streams) {
    if (stream == capture.origin) continue;
    for (const GraphNode* const node : stream->capture_frontier) {
      if (node->dependents.empty() && !Includes(capture.origin->capture_frontier, node)) return true;
    }
  }
  return false;
}

void Leave(const std::shared_ptr<Capture>& capture) {
  for (Stream* const stream : capture->streams) {
    stream->capture.reset();
    stream->capture_frontier.clear();
  }
  std::erase(Sequences(), capture);
  g_captures.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

std::mutex& CaptureMutex() {
  static std::mutex& mutex = *new std::mutex;
  return mutex;
}

CaptureDecision DecideCapture(Stream* stream, CUresult* error) {
  if (!AnyCapture()) return CaptureDecision::kSubmit;
  const std::lock_guard lock(CaptureMutex());
  if (stream->capture != nullptr) {
    if (stream->capture->status == CU_STREAM_CAPTURE_STATUS_ACTIVE) return CaptureDecision::kCapture;
    *error = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    return CaptureDecision::kFail;
  }
  if (stream->lane->kind != LaneKind::kLegacy) return CaptureDecision::kSubmit;
  for (const std::shared_ptr<Capture>& capture : Sequences()) {
    for (const Stream* const other : capture->streams) {
      if (other->context != stream->context || other->lane->kind != LaneKind::kBlocking) continue;
      Spoil(capture.get());
      *error = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
      return CaptureDecision::kFail;
    }
  }
  return CaptureDecision::kSubmit;
}

CUresult CaptureNode(Stream* stream, NodePayload payload) {
  Graph* graph = nullptr;
  {
    const std::lock_guard lock(CaptureMutex());
    if (stream->capture == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    graph = stream->capture->graph;
  }
  ReportNodeStarting(graph, payload);
  GraphNode* node = nullptr;
  {
    const std::lock_guard lock(CaptureMutex());
    if (stream->capture == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    node = InsertNode(graph, stream->capture_frontier, std::move(payload));
    stream->capture_frontier.assign(1, node);
  }
  ReportNodeCreated(node);
  return CUDA_SUCCESS;
}

CUresult ForbidUnsafeCall() {
  if (!AnyCapture() || t_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  const std::lock_guard lock(CaptureMutex());
  const std::thread::id thread = std::this_thread::get_id();
  for (const std::shared_ptr<Capture>& capture : Sequences()) {
    if (capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED) continue;
    // Another thread's capture forbids calls of this one only when both are in global mode.
    const bool mine = capture->thread == thread;
    const bool global = capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && t_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (!mine && !global) continue;
    Spoil(capture.get());
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return CUDA_SUCCESS;
}

CUresult ForbidWait(Stream* stream) {
  if (!AnyCapture()) return CUDA_SUCCESS;
  CUresult error = CUDA_SUCCESS;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kSubmit:
      return CUDA_SUCCESS;
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      break;
  }
  const std::lock_guard lock(CaptureMutex());
  if (stream->capture != nullptr) Spoil(stream->capture.get());
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult CaptureEventRecord(Stream* stream, Event* event) {
  const std::lock_guard lock(CaptureMutex());
  if (stream->capture == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  event->capture = stream->capture;
  event->captured_frontier = stream->capture_frontier;
  return CUDA_SUCCESS;
}

std::optional<CUresult> CaptureEventWait(Stream* stream, Event* event) {
  if (!AnyCapture()) return std::nullopt;
  const std::lock_guard lock(CaptureMutex());
  const std::shared_ptr<Capture>& of_event = event->capture;
  const bool event_captured =
      of_event != nullptr && Sequences().end() != std::find(Sequences().begin(), Sequences().end(), of_event);
  if (!event_captured) {
    if (stream->capture == nullptr) return std::nullopt;
    // Work of a graph cannot depend on a moment outside of it.
    Spoil(stream->capture.get());
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  }
  if (stream->capture != nullptr && stream->capture != of_event) {
    Spoil(stream->capture.get());
    Spoil(of_event.get());
    return CUDA_ERROR_STREAM_CAPTURE_MERGE;
  }
  if (of_event->status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (stream->lane->kind == LaneKind::kLegacy) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  stream->capture = of_event;
  of_event->streams.insert(stream);
  Merge(event->captured_frontier, &stream->capture_frontier);
  return CUDA_SUCCESS;
}

bool IsCaptured(Event* event) {
  if (!AnyCapture()) return false;
  const std::lock_guard lock(CaptureMutex());
  return event->capture != nullptr &&
         std::find(Sequences().begin(), Sequences().end(), event->capture) != Sequences().end();
}

CUresult BeginCapture(Stream* stream, CUstreamCaptureMode mode, Graph* graph, std::vector<GraphNode*> frontier) {
  if (stream->lane->kind == LaneKind::kLegacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  {
    const std::lock_guard lock(CaptureMutex());
    if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  }
  auto capture = std::make_shared<Capture>();
  capture->id = g_next_capture_id.fetch_add(1);
  capture->mode = mode;
  capture->origin = stream;
  capture->graph = graph != nullptr ? graph : CreateGraph();
  capture->owns_graph = graph == nullptr;
  capture->thread = std::this_thread::get_id();
  capture->streams.insert(stream);
  const std::lock_guard lock(CaptureMutex());
  stream->capture = capture;
  stream->capture_frontier = std::move(frontier);
  Sequences().push_back(std::move(capture));
  g_captures.fetch_add(1, std::memory_order_relaxed);
  return CUDA_SUCCESS;
}

CUresult EndCapture(Stream* stream, Graph** graph) {
  *graph = nullptr;
  CUresult result = CUDA_SUCCESS;
  std::shared_ptr<Capture> capture;
  {
    const std::lock_guard lock(CaptureMutex());
    capture = stream->capture;
    if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id()) {
      return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    }
    if (capture->status != CU_STREAM_CAPTURE_STATUS_ACTIVE) {
      result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    } else if (IsUnjoined(*capture)) {
      result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    }
    Leave(capture);
  }
  if (result == CUDA_SUCCESS) {
    *graph = capture->graph;
  } else if (capture->owns_graph) {
    DestroyGraph(capture->graph);
  }
  return result;
}

void LeaveCapture(Stream* stream) {
  if (!AnyCapture()) return;
  std::shared_ptr<Capture> ended;
  {
    const std::lock_guard lock(CaptureMutex());
    const std::shared_ptr<Capture> capture = stream->capture;
    if (capture == nullptr) return;
    Spoil(capture.get());
    if (capture->origin == stream) {
      Leave(capture);
      ended = capture;
    } else {
      capture->streams.erase(stream);
      stream->capture.reset();
    }
  }
  if (ended != nullptr && ended->owns_graph) DestroyGraph(ended->graph);
}

CUstreamCaptureMode ExchangeThreadCaptureMode(CUstreamCaptureMode mode) {
  const CUstreamCaptureMode before = t_mode;
  t_mode = mode;
  return before;
}

}  // namespace simgpu::driver
