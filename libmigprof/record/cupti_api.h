// SPDX-License-Identifier: Apache-2.0
// libcupti as a table of functions, so that one binary serves every version and tests can put fakes in.
#pragma once

#include <cupti.h>

#include <cstdint>
#include <string>

#include "libmigprof/base/error.h"

namespace migprof::record {

// CUpti_SubscriberParams of CUPTI 13.0, which older headers lack.
struct CuptiSubscriberParams {
  size_t struct_size;
  const char* subscriber_name;
  char* old_subscriber_name;
  size_t old_subscriber_size;
};

// The state domain of newer headers: CUPTI tells that it has given up.
inline constexpr auto kStateDomain = static_cast<CUpti_CallbackDomain>(6);
inline constexpr CUpti_CallbackId kFatalError = 1;
struct StateNotification {
  CUptiResult result;
  const char* message;
};

// Functions marked optional may be null.
struct CuptiApi {
  CUptiResult (*get_version)(uint32_t*) = nullptr;
  CUptiResult (*get_result_string)(CUptiResult, const char**) = nullptr;
  CUptiResult (*get_timestamp)(uint64_t*) = nullptr;
  CUptiResult (*subscribe)(CUpti_SubscriberHandle*, CUpti_CallbackFunc, void*) = nullptr;
  CUptiResult (*subscribe_v2)(CUpti_SubscriberHandle*, CUpti_CallbackFunc, void*,
                              CuptiSubscriberParams*) = nullptr;  // optional
  CUptiResult (*unsubscribe)(CUpti_SubscriberHandle) = nullptr;
  CUptiResult (*enable_callback)(uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId) = nullptr;
  CUptiResult (*get_callback_state)(uint32_t*, CUpti_SubscriberHandle, CUpti_CallbackDomain,
                                    CUpti_CallbackId) = nullptr;  // optional
  CUptiResult (*set_thread_id_type)(CUpti_ActivityThreadIdType) = nullptr;
  CUptiResult (*get_context_id)(CUcontext, uint32_t*) = nullptr;
  CUptiResult (*get_device_id)(CUcontext, uint32_t*) = nullptr;
  CUptiResult (*get_graph_node_id)(CUgraphNode, uint64_t*) = nullptr;
  CUptiResult (*activity_register_callbacks)(CUpti_BuffersCallbackRequestFunc,
                                             CUpti_BuffersCallbackCompleteFunc) = nullptr;
  CUptiResult (*activity_enable)(CUpti_ActivityKind) = nullptr;
  CUptiResult (*activity_disable)(CUpti_ActivityKind) = nullptr;
  CUptiResult (*activity_flush_all)(uint32_t) = nullptr;
  CUptiResult (*activity_get_next_record)(uint8_t*, size_t, CUpti_Activity**) = nullptr;
  CUptiResult (*activity_get_num_dropped_records)(CUcontext, uint32_t, size_t*) = nullptr;
  CUptiResult (*activity_set_attribute)(CUpti_ActivityAttribute, size_t*, void*) = nullptr;

  uint32_t version = 0;               // as cuptiGetVersion returns it: 18 is 11.8, 22 is 12.4, 130001 is 13.0 update 1
  std::string path;                   // of the library, for humans
  uint64_t ahead_of_realtime_ns = 0;  // of CUPTI's clock, modulo 2^64

  // CUPTI's time. Where it does not tell, what its clock should show: times that are none would stretch what is
  // recorded over half a century. Any thread.
  uint64_t Now() const;
};

// Takes the libcupti this process has loaded already; else `preferred_path` if it is not empty; else looks where
// toolkits and Python wheels put it, for a version no newer than `driver_version` (13000 for 13.0, 0 unknown). Not from
// a CUPTI callback.
Error LoadCupti(const char* preferred_path, int driver_version, CuptiApi* api);

// CUPTI's own name for a result, e.g. "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED".
const char* ResultName(const CuptiApi& api, CUptiResult result);

}  // namespace migprof::record
