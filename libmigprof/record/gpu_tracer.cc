// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/gpu_tracer.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "libmigprof/base/raw_log.h"
#include "libmigprof/record/hooked_calls.h"
#include "libmigprof/record/shared_records.h"

namespace migprof::record {
namespace {

// For the buffer callbacks, which get no user data.
std::atomic<GpuTracer::Parts*> g_parts{nullptr};

constexpr CUpti_ActivityKind kRequiredKinds[] = {
    CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,  // KERNEL would serialise the kernels
    CUPTI_ACTIVITY_KIND_MEMCPY,
    CUPTI_ACTIVITY_KIND_MEMSET,
};
// Welcome, but no reason to give up. Not API records: they cost more than all others together.
constexpr CUpti_ActivityKind kOptionalKinds[] = {
    CUPTI_ACTIVITY_KIND_MEMCPY2, CUPTI_ACTIVITY_KIND_MEMORY2, CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
    CUPTI_ACTIVITY_KIND_CONTEXT, CUPTI_ACTIVITY_KIND_DEVICE,
};

// CUPTI_CBID_RESOURCE_GRAPH_NODE_UPDATED of CUPTI 13.0, which older headers lack and older libraries refuse.
constexpr int kGraphNodeUpdated = 22;

// Of a call that is always hooked.
constexpr CUpti_CallbackId kLaunchKernel = 307;

}  // namespace

std::atomic<uint64_t> GpuTracer::foreign_buffers_{0};
CUpti_BuffersCallbackCompleteFunc GpuTracer::foreign_ = nullptr;

Error GpuTracer::Start(const Parts& parts) {
  parts_ = parts;
  g_parts.store(&parts_, std::memory_order_release);
  if (Error error = Subscribe(); !error.ok()) return error;
  EnableCallbacks();
  if (Error error = EnableActivities(); !error.ok()) {
    Abandon();
    return error;
  }
  return Error::None();
}

void GpuTracer::Abandon() {
  if (subscriber_ == nullptr) return;
  DisableActivities();
  parts_.cupti->unsubscribe(subscriber_);
}

// Whether CUPTI need not clear buffers, on the application's thread, because they come zeroed. Refused by old versions,
// which clear them. It holds for whoever has CUPTI.
void GpuTracer::PromiseZeroedBuffers(bool promise) {
  uint8_t zeroed = promise ? 1 : 0;
  size_t size = sizeof(zeroed);
  parts_.cupti->activity_set_attribute(CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER, &size, &zeroed);
}

void GpuTracer::LetGo() {
  if (has_no_cupti()) return;
  DisableActivities();
  Flush(/*forced=*/false);
  // What was set for the recorder's sake and is the process's.
  PromiseZeroedBuffers(false);
  parts_.cupti->set_thread_id_type(CUPTI_ACTIVITY_THREAD_ID_TYPE_DEFAULT);
  parts_.cupti->unsubscribe(subscriber_);
  let_go_ = true;
}

Error GpuTracer::TakeAgain() {
  if (stood_down_ || fatal_error() != 0) return {"CUPTI is held by another tool", 0};
  if (Error error = Subscribe(); !error.ok()) return error;
  EnableCallbacks();
  if (Error error = EnableActivities(); !error.ok()) {
    Abandon();
    return error;
  }
  let_go_ = false;
  return Error::None();
}

void GpuTracer::DisableActivities() {
  for (const CUpti_ActivityKind kind : kRequiredKinds) parts_.cupti->activity_disable(kind);
  for (const CUpti_ActivityKind kind : kOptionalKinds) parts_.cupti->activity_disable(kind);
  if (parts_.graph_detail == GraphDetail::kGraph) parts_.cupti->activity_disable(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
}

Error GpuTracer::Subscribe() {
  CUptiResult result = CUPTI_ERROR_NOT_SUPPORTED;
  if (parts_.cupti->subscribe_v2 != nullptr) {
    CuptiSubscriberParams params{sizeof(CuptiSubscriberParams), "migprof", holder_, sizeof(holder_) - 1};
    result = parts_.cupti->subscribe_v2(&subscriber_, &GpuTracer::OnCallback, this, &params);
  }
  if (result == CUPTI_ERROR_NOT_SUPPORTED) {
    result = parts_.cupti->subscribe(&subscriber_, &GpuTracer::OnCallback, this);
  }
  if (result == CUPTI_SUCCESS) return Error::None();
  if (result == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED) return {"CUPTI is held by another tool", result};
  return {"CUPTI refused the subscription", result};
}

void GpuTracer::EnableCallbacks() {
  with_nodes_ = parts_.graph_detail == GraphDetail::kNode;
  SwitchCalls(true);
  const bool with_nodes = with_nodes_;
  EnableResourceCallback(CUPTI_CBID_RESOURCE_CONTEXT_CREATED);
  EnableResourceCallback(CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING);
  // Tells in every mode that a call was captured instead of run.
  EnableResourceCallback(CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED);
  if (!with_nodes) return;
  EnableResourceCallback(CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED);
  EnableResourceCallback(CUPTI_CBID_RESOURCE_GRAPHNODE_DESTROY_STARTING);
  EnableResourceCallback(kGraphNodeUpdated);
  for (const uint32_t id : kGraphDestroyCalls) {
    parts_.cupti->enable_callback(1, subscriber_, CUPTI_CB_DOMAIN_DRIVER_API, id);
  }
  // Refused by versions that have no such callback.
  parts_.cupti->enable_callback(1, subscriber_, kStateDomain, kFatalError);
}

void GpuTracer::SwitchCalls(bool on) {
  for (const HookedCall& call : kHookedCalls) {
    if (call.call_class == format::CallClass::kGraphConstruction && !with_nodes_) continue;
    const CUptiResult result =
        parts_.cupti->enable_callback(on ? 1 : 0, subscriber_, CUPTI_CB_DOMAIN_DRIVER_API, call.callback_id);
    if (result != CUPTI_SUCCESS) LogDebug("callback %s is not available (CUPTI error %d)", call.name, result);
  }
}

void GpuTracer::SwitchActivities(bool on) {
  const auto turn = [&](CUpti_ActivityKind kind) {
    on ? parts_.cupti->activity_enable(kind) : parts_.cupti->activity_disable(kind);
  };
  for (const CUpti_ActivityKind kind : kRequiredKinds) turn(kind);
  for (const CUpti_ActivityKind kind : kOptionalKinds) {
    if (kind != CUPTI_ACTIVITY_KIND_CONTEXT && kind != CUPTI_ACTIVITY_KIND_DEVICE) turn(kind);
  }
  if (parts_.graph_detail == GraphDetail::kGraph) turn(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
}

bool GpuTracer::IsSubscribed() const {
  if (has_no_cupti() || parts_.cupti->get_callback_state == nullptr) return true;
  uint32_t enabled = 0;
  return parts_.cupti->get_callback_state(&enabled, subscriber_, CUPTI_CB_DOMAIN_DRIVER_API, kLaunchKernel) !=
         CUPTI_ERROR_INVALID_PARAMETER;
}

void GpuTracer::StandDown() {
  if (stood_down_) return;
  CountOnly();
  PromiseZeroedBuffers(false);  // those of the other client need not come so
  if (IsSubscribed()) {
    // The subscription is nobody else's. Launches are still to be counted.
    for (const HookedCall& call : kHookedCalls) {
      if (format::GivesWork(call.call_class)) continue;
      parts_.cupti->enable_callback(0, subscriber_, CUPTI_CB_DOMAIN_DRIVER_API, call.callback_id);
    }
  }
  stood_down_ = true;
}

void GpuTracer::Quiet() {
  if (has_no_cupti()) return;
  SwitchCalls(false);
  SwitchActivities(false);
}

void GpuTracer::Rouse() {
  if (has_no_cupti()) return;
  SwitchActivities(true);
  SwitchCalls(true);
}

void GpuTracer::EndActivities() {
  if (has_no_cupti()) return;
  SwitchActivities(false);
}

void GpuTracer::OnState(CUpti_CallbackId callback_id, const StateNotification& notification) noexcept {
  if (callback_id != kFatalError) return;
  const int result = notification.result;
  fatal_error_.store(result != 0 ? result : CUPTI_ERROR_UNKNOWN, std::memory_order_relaxed);
}

void GpuTracer::CountLateCall(CUpti_CallbackId callback_id, const CUpti_CallbackData& data) noexcept {
  if (data.callbackSite != CUPTI_API_ENTER) return;
  for (const HookedCall& call : kHookedCalls) {
    if (call.callback_id != callback_id) continue;
    if (format::GivesWork(call.call_class)) {
      late_calls_[CountedDevice(parts_.contexts->DeviceOf(data.contextUid))].fetch_add(1, std::memory_order_relaxed);
    }
    return;
  }
}

void GpuTracer::EnableResourceCallback(int id) {
  const CUptiResult result = parts_.cupti->enable_callback(1, subscriber_, CUPTI_CB_DOMAIN_RESOURCE, id);
  if (result != CUPTI_SUCCESS) LogDebug("resource callback %d is not available (CUPTI error %d)", id, result);
}

Error GpuTracer::EnableActivities() {
  const CuptiApi& cupti = *parts_.cupti;
  cupti.set_thread_id_type(CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM);
  PromiseZeroedBuffers(true);
  if (const CUptiResult result =
          cupti.activity_register_callbacks(&GpuTracer::OnBufferRequested, &GpuTracer::OnBufferCompleted);
      result != CUPTI_SUCCESS) {
    return {"CUPTI refused the activity buffers", result};
  }
  for (const CUpti_ActivityKind kind : kRequiredKinds) {
    if (const CUptiResult result = cupti.activity_enable(kind); result != CUPTI_SUCCESS) {
      return {"CUPTI refused to record kernels and copies", result};
    }
  }
  const auto enable_if_possible = [&](CUpti_ActivityKind kind) {
    if (const CUptiResult result = cupti.activity_enable(kind); result != CUPTI_SUCCESS) {
      LogDebug("activity kind %d is not available (CUPTI error %d)", kind, result);
    }
  };
  for (const CUpti_ActivityKind kind : kOptionalKinds) enable_if_possible(kind);
  if (parts_.graph_detail == GraphDetail::kGraph) enable_if_possible(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
  return Error::None();
}

void GpuTracer::RecordGraphsAsAWhole() {
  if (parts_.graph_detail == GraphDetail::kGraph || has_no_cupti()) return;
  parts_.graph_detail = GraphDetail::kGraph;
  const CUptiResult result = parts_.cupti->activity_enable(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
  if (result != CUPTI_SUCCESS) LogDebug("graphs cannot be recorded as a whole (CUPTI error %d)", result);
}

bool GpuTracer::Flush(bool forced) {
  if (stood_down_ || fatal_error() != 0) return false;
  // Given up: at the very end, what is complete of that which CUPTI still had. Not by force: there may be another's
  // that is not.
  if (let_go_ && !forced) return false;
  const auto flag = forced && !let_go_ ? CUPTI_ACTIVITY_FLAG_FLUSH_FORCED : CUPTI_ACTIVITY_FLAG_NONE;
  return parts_.cupti->activity_flush_all(flag) == CUPTI_SUCCESS;
}

uint64_t GpuTracer::TakeDroppedRecords() {
  size_t dropped = 0;
  if (stood_down_ || let_go_) return 0;  // reading resets them, and they are another's
  if (parts_.cupti->activity_get_num_dropped_records(nullptr, 0, &dropped) != CUPTI_SUCCESS) return 0;
  return dropped;
}

void GpuTracer::OnApi(CUpti_CallbackId callback_id, const CUpti_CallbackData& data) noexcept {
  const bool is_graph_destroy = std::find(std::begin(kGraphDestroyCalls), std::end(kGraphDestroyCalls), callback_id) !=
                                std::end(kGraphDestroyCalls);
  if (data.callbackSite == CUPTI_API_EXIT) parts_.graphs->CallEnds();
  if (is_graph_destroy) return;
  if (data.callbackSite == CUPTI_API_ENTER) {
    parts_.calls->Enter(callback_id, data.correlationId, data.contextUid);
  } else {
    const auto* result = static_cast<const uint32_t*>(data.functionReturnValue);
    parts_.calls->Exit(data.correlationId, result != nullptr ? *result : 0);
  }
}

void GpuTracer::OnResource(CUpti_CallbackId callback_id, const CUpti_ResourceData& data) noexcept {
  if (callback_id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED) {
    // Only noted: who the device is gets asked later, outside of any callback.
    uint32_t context = 0;
    uint32_t device = 0;
    if (parts_.cupti->get_context_id(data.context, &context) != CUPTI_SUCCESS ||
        parts_.cupti->get_device_id(data.context, &device) != CUPTI_SUCCESS || !parts_.contexts->Add(context, device)) {
      unknown_contexts_.fetch_add(1, std::memory_order_relaxed);
    }
  } else if (callback_id == CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING) {
    uint32_t context = 0;
    if (parts_.cupti->get_context_id(data.context, &context) == CUPTI_SUCCESS) parts_.contexts->Destroy(context);
  } else if (const auto* graph = static_cast<const CUpti_GraphData*>(data.resourceDescriptor)) {
    OnGraphNode(callback_id, *graph);
  }
}

void GpuTracer::OnGraphNode(CUpti_CallbackId callback_id, const CUpti_GraphData& graph) noexcept {
  uint64_t node = 0;
  uint64_t origin = 0;
  parts_.cupti->get_graph_node_id(graph.node, &node);
  switch (static_cast<int>(callback_id)) {
    case CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED:
      return parts_.graphs->NodeCreated(node);
    case CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED:
      parts_.cupti->get_graph_node_id(graph.originalNode, &origin);
      return parts_.graphs->NodeChanged(format::GraphNodeEvent::kCloned, node, origin);
    case CUPTI_CBID_RESOURCE_GRAPHNODE_DESTROY_STARTING:
      return parts_.graphs->NodeChanged(format::GraphNodeEvent::kRemoved, node, 0);
    case kGraphNodeUpdated:
      if (graph.originalNode == nullptr) return;  // nothing is said about where its new work comes from
      parts_.cupti->get_graph_node_id(graph.originalNode, &origin);
      return parts_.graphs->NodeChanged(format::GraphNodeEvent::kUpdated, node, origin);
    default:
      return;
  }
}

// Calls that were entered before the pause end in it. Contexts stay, and graphs are launched after it.
void GpuTracer::OnCallbackWhilePaused(CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) noexcept {
  if (domain == CUPTI_CB_DOMAIN_RESOURCE) return OnResource(id, *static_cast<const CUpti_ResourceData*>(data));
  if (domain == kStateDomain) return OnState(id, *static_cast<const StateNotification*>(data));
  if (domain != CUPTI_CB_DOMAIN_DRIVER_API) return;
  const auto& call = *static_cast<const CUpti_CallbackData*>(data);
  if (call.callbackSite == CUPTI_API_EXIT) OnApi(id, call);
}

void CUPTIAPI GpuTracer::OnCallback(void* user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  auto* const self = static_cast<GpuTracer*>(user);
  if (!self->parts_.recording->load(std::memory_order_acquire)) {
    if (domain == CUPTI_CB_DOMAIN_DRIVER_API && self->counting_.load(std::memory_order_acquire)) {
      self->CountLateCall(id, *static_cast<const CUpti_CallbackData*>(data));
    } else if (domain == CUPTI_CB_DOMAIN_RESOURCE && id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED &&
               self->counting_.load(std::memory_order_acquire)) {
      self->OnResource(id, *static_cast<const CUpti_ResourceData*>(data));  // whose calls are counted
    } else if (self->parts_.paused->load(std::memory_order_acquire)) {
      self->OnCallbackWhilePaused(domain, id, data);
    }
    return;
  }
  if (domain == CUPTI_CB_DOMAIN_DRIVER_API) {
    self->OnApi(id, *static_cast<const CUpti_CallbackData*>(data));
  } else if (domain == CUPTI_CB_DOMAIN_RESOURCE) {
    self->OnResource(id, *static_cast<const CUpti_ResourceData*>(data));
  } else if (domain == kStateDomain) {
    self->OnState(id, *static_cast<const StateNotification*>(data));
  }
}

void CUPTIAPI GpuTracer::OnBufferRequested(uint8_t** buffer, size_t* bytes, size_t* most_records) {
  // Also while not recording: refusing a buffer can crash CUPTI before 12.9.
  const Parts* const parts = g_parts.load(std::memory_order_acquire);
  ActivityBuffer* const taken = parts->buffers->Take();
  *buffer = taken != nullptr ? taken->data() : nullptr;
  *bytes = taken != nullptr ? taken->capacity : 0;
  *most_records = 0;
}

void CUPTIAPI GpuTracer::OnBufferCompleted(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes,
                                           size_t valid) {
  if (buffer == nullptr) return;
  const Parts* const parts = g_parts.load(std::memory_order_acquire);
  ActivityBuffers* const buffers = parts->buffers;
  if (!buffers->Owns(buffer)) [[unlikely]] {
    foreign_buffers_.fetch_add(1, std::memory_order_relaxed);
    if (foreign_ == nullptr) return;
    // CUPTI had it when its client ended. What was written into it since was asked for here, what was before is the
    // client's: the drain thread leaves out what was not recorded, and the client gets all.
    AdoptRecords(*parts->cupti, buffer, valid, buffers);
    return foreign_(context, stream, buffer, bytes, valid);
  }
  buffers->Complete(ActivityBuffer::FromData(buffer), valid);
}

}  // namespace migprof::record
