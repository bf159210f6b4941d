// SPDX-License-Identifier: Apache-2.0
// What the other CUPTI client of this process has asked CUPTI for, and who has CUPTI: it or the recorder.
#pragma once

#include <cupti.h>
#include <pthread.h>

#include <atomic>
#include <bitset>
#include <cstdint>

#include "libmigprof/record/yield_door.h"

namespace migprof::yield {

// The other client, all of them as one: CUPTI serves one at a time. All members but the buffer callbacks take the lock;
// none holds it while CUPTI runs code of the other client.
class OtherClient {
 public:
  static OtherClient& Get();

  // It is about to ask for something that only the one who has CUPTI can have: has the recorder give way.
  void Wants();
  // The results of its calls.
  void Subscribed(CUpti_SubscriberHandle handle, CUpti_CallbackFunc callback, void* userdata);
  void Unsubscribed();
  void CallbacksChanged(bool enable, CUpti_CallbackDomain domain, CUpti_CallbackId id);  // id 0: all of the domain
  void AllCallbacksChanged(bool enable);
  void KindChanged(bool enable, CUpti_ActivityKind kind);
  void Flushed();
  void Finalized();
  void SetBufferCallbacks(CUpti_BuffersCallbackRequestFunc request, CUpti_BuffersCallbackCompleteFunc complete);

  // The handle that CUPTI knows it by. It differs from the one it was given when its subscription was set aside
  // meanwhile.
  CUpti_SubscriberHandle Translate(CUpti_SubscriberHandle handle);
  // Whether that is its handle, and its subscription is set aside.
  bool IsSetAside(CUpti_SubscriberHandle handle);
  bool RecorderHasCupti();

  bool IsFree();
  void Attach(const record::YieldRecorder* recorder);
  bool TakeBack(bool (*take)(void*), void* context);

  // CUPTI's buffer callbacks, while the other client has registered some.
  static void CUPTIAPI RouteRequest(uint8_t** buffer, size_t* bytes, size_t* most_records);
  static void CUPTIAPI RouteComplete(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes, size_t valid);
  // A buffer that the recorder was given, and has read.
  static void CUPTIAPI ReturnBuffer(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes, size_t valid);

 private:
  static constexpr size_t kDomains = 8;
  static constexpr size_t kIds = 2048;
  static constexpr size_t kKinds = 256;
  // After its last call. CUPTI may be finishing what it was told, and a client that ends mostly makes several calls.
  static constexpr uint64_t kSettleNs = 300'000'000;
  // A client that disabled its activities and has not flushed them.
  static constexpr uint64_t kForgottenFlushNs = 5'000'000'000;

  bool IsDone(uint64_t now_ns) const;
  void Restore();
  void Touch();

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<const record::YieldRecorder*> recorder_{nullptr};
  bool recorder_has_cupti_ = false;
  uint64_t uses_ = 0;
  uint64_t last_use_ns_ = 0;

  bool subscribed_ = false;
  bool set_aside_ = false;
  CUpti_SubscriberHandle given_ = nullptr;
  CUpti_SubscriberHandle real_ = nullptr;
  CUpti_CallbackFunc callback_ = nullptr;
  void* userdata_ = nullptr;
  std::bitset<kDomains * kIds> callbacks_;
  std::bitset<kKinds> kinds_;
  bool unflushed_ = false;
  std::atomic<CUpti_BuffersCallbackRequestFunc> request_{nullptr};
  std::atomic<CUpti_BuffersCallbackCompleteFunc> complete_{nullptr};
};

}  // namespace migprof::yield
