// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/copy_advice.h"

#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"

namespace migprof::render {
namespace {

using analyze::CopyDirection;
using analyze::IdleCause;
using analyze::SliceProfile;
using analyze::Totals;

constexpr uint64_t kManyCopies = 100;
constexpr uint64_t kSmallCopyBytes = 64 * 1024;    // takes less time than asking for it
constexpr uint64_t kLargeCopyBytes = 1024 * 1024;  // whose speed is that of the bus
constexpr double kSlowBytesPerSecond = 10e9;       // what pageable memory reaches, and pinned memory exceeds
constexpr double kMuchSynchronizing = 0.10;        // of the idle time

const Totals& CopiesOf(const SliceProfile& slice, CopyDirection direction) {
  return slice.metrics.copies[static_cast<size_t>(direction)];
}

Totals Sum(const Totals& a, const Totals& b) { return {a.count + b.count, a.total_ns + b.total_ns, a.bytes + b.bytes}; }

Totals HostCopies(const SliceProfile& slice) {
  return Sum(CopiesOf(slice, CopyDirection::kHostToDevice), CopiesOf(slice, CopyDirection::kDeviceToHost));
}

bool AreSmall(const Totals& copies) {
  return copies.count >= kManyCopies && copies.bytes / copies.count < kSmallCopyBytes;
}

bool AreSlow(const Totals& copies) {
  if (copies.count == 0 || copies.total_ns == 0 || copies.bytes / copies.count < kLargeCopyBytes) return false;
  return static_cast<double>(copies.bytes) / (static_cast<double>(copies.total_ns) * 1e-9) < kSlowBytesPerSecond;
}

// Results that the host fetches and waits for.
bool ReadsBack(const SliceProfile& slice) {
  const Totals& back = CopiesOf(slice, CopyDirection::kDeviceToHost);
  const Totals& in = CopiesOf(slice, CopyDirection::kHostToDevice);
  if (back.count < kManyCopies || back.count * 2 < in.count) return false;
  uint64_t idle = 0;
  for (const uint64_t ns : slice.metrics.idle_ns) idle += ns;
  const uint64_t waited = slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kSynchronize)] +
                          slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kCopy)];
  return static_cast<double>(waited) > kMuchSynchronizing * static_cast<double>(idle);
}

std::string ReadBackAdvice(const SliceProfile& slice) {
  return "Results were read back " + HumanCount(CopiesOf(slice, CopyDirection::kDeviceToHost).count) +
         " times: keep them on the GPU and fetch them every so many steps, asynchronously into pinned memory.";
}

}  // namespace

std::string CopyAdvice(const SliceProfile& slice) {
  const Totals host = HostCopies(slice);
  std::string advice;
  if (AreSmall(host)) {
    advice = HumanCount(host.count) + " copies of " + HumanBytes(host.bytes / host.count) +
             " on average: gather them into few large ones.";
  }
  if (ReadsBack(slice)) advice += (advice.empty() ? "" : " ") + ReadBackAdvice(slice);
  if (!advice.empty()) return advice;
  if (AreSlow(host)) {
    const double per_second = static_cast<double>(host.bytes) / (static_cast<double>(host.total_ns) * 1e-9);
    return "They ran at " + HumanBytes(static_cast<uint64_t>(per_second)) +
           "/s, as copies of pageable memory do: pin it (cudaHostAlloc, cudaHostRegister; pin_memory=True in PyTorch), "
           "and copy on a stream of its own, while kernels run.";
  }
  return CauseAdvice(IdleCause::kCopy);
}

std::string AdviceFor(const SliceProfile& slice, IdleCause cause) {
  if (cause == IdleCause::kCopy) return CopyAdvice(slice);
  if (cause == IdleCause::kSynchronize && ReadsBack(slice)) return ReadBackAdvice(slice);
  return CauseAdvice(cause);
}

}  // namespace migprof::render
