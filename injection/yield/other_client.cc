// SPDX-License-Identifier: Apache-2.0
#include "injection/yield/other_client.h"

#include "injection/yield/real_cupti.h"
#include "libmigprof/base/clock.h"

namespace migprof::yield {
namespace {

class Lock {
 public:
  explicit Lock(pthread_mutex_t* mutex) : mutex_(mutex) { pthread_mutex_lock(mutex_); }
  ~Lock() { pthread_mutex_unlock(mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  pthread_mutex_t* const mutex_;
};

}  // namespace

OtherClient& OtherClient::Get() {
  static OtherClient client;
  return client;
}

void OtherClient::Touch() {
  ++uses_;
  last_use_ns_ = MonotonicNs();
}

void OtherClient::Wants() {
  const Lock lock(&mutex_);
  Touch();
  const record::YieldRecorder* const recorder = recorder_.load(std::memory_order_acquire);
  if (recorder_has_cupti_ && recorder != nullptr && recorder->give_way()) recorder_has_cupti_ = false;
  if (!recorder_has_cupti_) Restore();
}

// Nothing of the client's is lost by setting a subscription aside, since no callback of it is enabled.
void OtherClient::Restore() {
  if (!set_aside_) return;
  CUpti_SubscriberHandle handle = nullptr;
  if (MIGPROF_REAL(cuptiSubscribe, &handle, callback_, userdata_) != CUPTI_SUCCESS) return;
  real_ = handle;
  set_aside_ = false;
}

void OtherClient::Subscribed(CUpti_SubscriberHandle handle, CUpti_CallbackFunc callback, void* userdata) {
  const Lock lock(&mutex_);
  subscribed_ = true;
  set_aside_ = false;
  given_ = real_ = handle;
  callback_ = callback;
  userdata_ = userdata;
  callbacks_.reset();
}

void OtherClient::Unsubscribed() {
  const Lock lock(&mutex_);
  Touch();
  subscribed_ = set_aside_ = false;
  given_ = real_ = nullptr;
  callbacks_.reset();
}

void OtherClient::CallbacksChanged(bool enable, CUpti_CallbackDomain domain, CUpti_CallbackId id) {
  const Lock lock(&mutex_);
  Touch();
  const auto at = static_cast<size_t>(domain);
  if (at >= kDomains || id >= kIds) return;
  const size_t first = at * kIds + id;
  const size_t end = id != 0 ? first + 1 : (at + 1) * kIds;
  for (size_t i = first; i < end; ++i) callbacks_.set(i, enable);
}

void OtherClient::AllCallbacksChanged(bool enable) {
  const Lock lock(&mutex_);
  Touch();
  enable ? callbacks_.set() : callbacks_.reset();
}

void OtherClient::KindChanged(bool enable, CUpti_ActivityKind kind) {
  const Lock lock(&mutex_);
  Touch();
  if (static_cast<size_t>(kind) >= kKinds) return;
  unflushed_ |= !enable && kinds_.test(kind);
  kinds_.set(kind, enable);
}

void OtherClient::Flushed() {
  const Lock lock(&mutex_);
  Touch();
  if (kinds_.none()) unflushed_ = false;
}

void OtherClient::Finalized() {
  const Lock lock(&mutex_);
  Touch();
  subscribed_ = set_aside_ = unflushed_ = false;
  given_ = real_ = nullptr;
  callbacks_.reset();
  kinds_.reset();
}

void OtherClient::SetBufferCallbacks(CUpti_BuffersCallbackRequestFunc request,
                                     CUpti_BuffersCallbackCompleteFunc complete) {
  complete_.store(complete, std::memory_order_release);
  request_.store(request, std::memory_order_release);
}

CUpti_SubscriberHandle OtherClient::Translate(CUpti_SubscriberHandle handle) {
  const Lock lock(&mutex_);
  return subscribed_ && handle == given_ ? real_ : handle;
}

bool OtherClient::IsSetAside(CUpti_SubscriberHandle handle) {
  const Lock lock(&mutex_);
  return set_aside_ && handle == given_;
}

bool OtherClient::RecorderHasCupti() {
  const Lock lock(&mutex_);
  return recorder_has_cupti_;
}

bool OtherClient::IsDone(uint64_t now_ns) const {
  if (callbacks_.any() || kinds_.any() || now_ns - last_use_ns_ < kSettleNs) return false;
  return !unflushed_ || now_ns - last_use_ns_ >= kForgottenFlushNs;
}

bool OtherClient::IsFree() {
  const Lock lock(&mutex_);
  return !subscribed_ && kinds_.none();
}

void OtherClient::Attach(const record::YieldRecorder* recorder) {
  const Lock lock(&mutex_);
  recorder_.store(recorder, std::memory_order_release);
  recorder_has_cupti_ = true;
}

bool OtherClient::TakeBack(bool (*take)(void*), void* context) {
  // Whoever has the lock may be waiting for this very thread, to give way.
  if (pthread_mutex_trylock(&mutex_) != 0) return false;
  const uint64_t uses = uses_;
  const bool done = IsDone(MonotonicNs());
  pthread_mutex_unlock(&mutex_);
  if (!done) return false;
  // What is complete of the client's own, while it still goes to it. That runs its code, so that the lock is open.
  if (complete_.load(std::memory_order_acquire) != nullptr) MIGPROF_REAL(cuptiActivityFlushAll, 0);
  if (pthread_mutex_trylock(&mutex_) != 0) return false;
  bool taken = false;
  if (uses_ == uses) {
    if (subscribed_ && !set_aside_) set_aside_ = MIGPROF_REAL(cuptiUnsubscribe, real_) == CUPTI_SUCCESS;
    taken = take(context);
    recorder_has_cupti_ = taken;
    if (!taken) {
      Restore();
      Touch();  // tried again later
    }
  }
  pthread_mutex_unlock(&mutex_);
  return taken;
}

void CUPTIAPI OtherClient::RouteRequest(uint8_t** buffer, size_t* bytes, size_t* most_records) {
  Get().request_.load(std::memory_order_acquire)(buffer, bytes, most_records);
}

void CUPTIAPI OtherClient::RouteComplete(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes,
                                         size_t valid) {
  const record::YieldRecorder* const recorder = Get().recorder_.load(std::memory_order_acquire);
  const CUpti_BuffersCallbackCompleteFunc complete = Get().complete_.load(std::memory_order_acquire);
  if (recorder == nullptr || !recorder->owns(buffer)) return complete(context, stream, buffer, bytes, valid);
  // CUPTI had it before the recorder gave way. What was written into it since is the other client's.
  if (valid != 0 && recorder->copy_newer(buffer, valid, nullptr, 0) != 0) {
    uint8_t* copy = nullptr;
    size_t room = 0;
    size_t most_records = 0;
    RouteRequest(&copy, &room, &most_records);
    if (copy != nullptr) {
      const size_t copied = recorder->copy_newer(buffer, valid, copy, room);
      complete(context, stream, copy, room, copied);
    }
  }
  recorder->complete(context, stream, buffer, bytes, valid);
}

void CUPTIAPI OtherClient::ReturnBuffer(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes,
                                        size_t valid) {
  const CUpti_BuffersCallbackCompleteFunc complete = Get().complete_.load(std::memory_order_acquire);
  if (complete != nullptr) complete(context, stream, buffer, bytes, valid);
}

}  // namespace migprof::yield
