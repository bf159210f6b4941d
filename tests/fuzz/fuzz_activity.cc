// SPDX-License-Identifier: Apache-2.0
// Buffers of GPU activity from a libcupti whose records have any length and any content. Each record lies in memory of
// its own, so that reading past it is found.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "libmigprof/record/activity_translate.h"
#include "libmigprof/record/cupti_layout.h"
#include "libmigprof/record/record_sizes.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::record;

constexpr uint32_t kKinds[] = {CUPTI_ACTIVITY_KIND_KERNEL,
                               CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                               CUPTI_ACTIVITY_KIND_MEMCPY,
                               CUPTI_ACTIVITY_KIND_MEMCPY2,
                               CUPTI_ACTIVITY_KIND_MEMSET,
                               CUPTI_ACTIVITY_KIND_GRAPH_TRACE,
                               CUPTI_ACTIVITY_KIND_MEMORY2,
                               CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
                               CUPTI_ACTIVITY_KIND_CONTEXT,
                               CUPTI_ACTIVITY_KIND_DEVICE,
                               CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION,
                               77 /* of a later version */};

std::map<uint32_t, size_t> g_sizes;  // by kind; the library of this input
std::vector<std::unique_ptr<uint8_t[]>> g_records;

// While sizes are asked for, a buffer; afterwards the records of g_records.
CuptiApi Library() {
  CuptiApi api;
  api.activity_get_next_record = [](uint8_t* buffer, size_t valid, CUpti_Activity** record) {
    if (buffer != nullptr) {
      uint8_t* next = buffer;
      if (*record != nullptr) next = reinterpret_cast<uint8_t*>(*record) + g_sizes.at((*record)->kind);
      uint32_t kind = 0;
      if (next + sizeof(kind) > buffer + valid) return CUPTI_ERROR_MAX_LIMIT_REACHED;
      std::memcpy(&kind, next, sizeof(kind));
      if (!g_sizes.contains(kind)) return CUPTI_ERROR_INVALID_KIND;
      *record = reinterpret_cast<CUpti_Activity*>(next);
      return CUPTI_SUCCESS;
    }
    size_t next = 0;
    if (*record != nullptr) {
      while (reinterpret_cast<uint8_t*>(*record) != g_records[next].get()) ++next;
      ++next;
    }
    if (next == g_records.size()) return CUPTI_ERROR_MAX_LIMIT_REACHED;
    *record = reinterpret_cast<CUpti_Activity*>(g_records[next].get());
    return CUPTI_SUCCESS;
  };
  return api;
}

class Counter : public ActivitySink {
 public:
  void OnKernel(const KernelActivity& kernel) override {
    CheckBase(kernel);
    ++taken;
  }
  void OnTransfer(const TransferActivity& transfer) override {
    CheckBase(transfer);
    Check(transfer.what <= UINT8_MAX || transfer.what == migprof::format::kMemset, "a copy has a kind");
    ++taken;
  }
  void OnGraphRun(const GraphRunActivity& run) override {
    CheckBase(run);
    Check(run.graph_node == 0, "a graph is no node");
    ++taken;
  }
  void OnAllocation(const AllocationActivity&) override { ++taken; }
  void OnSynchronization(const SynchronizationActivity& wait) override {
    Check(wait.start_ns + wait.duration_ns >= wait.start_ns, "a wait ends after its start");
    ++taken;
  }
  void OnContext(const ContextActivity&) override { ++taken; }
  void OnMigDevice(const DeviceActivity&) override { ++taken; }
  void OnUnknownRecord() override { ++taken; }

  uint64_t taken = 0;

 private:
  static void CheckBase(const ActivityBase& activity) {
    Check(!activity.untimed || (activity.start_ns == 0 && activity.duration_ns == 0), "untimed work has no time");
    Check(activity.untimed || activity.start_ns > 0, "work without a start is untimed");
    Check(activity.start_ns + activity.duration_ns >= activity.start_ns, "work ends after its start");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  g_sizes.clear();
  for (const uint32_t kind : kKinds) {
    // From nothing but the kind to longer than any known one.
    const uint8_t words = input.Byte();
    if (words != 0) g_sizes[kind] = 8 * (1 + size_t{words} % 64);
  }
  const CuptiApi api = Library();
  RecordSizes sizes;
  sizes.Probe(api);
  for (const auto& [kind, bytes] : g_sizes) {
    const size_t expected = kind < RecordSizes::kKinds ? bytes : 0;
    Check(sizes.of(static_cast<CUpti_ActivityKind>(kind)) == expected,
          "the length of a record is what the library steps");
  }
  g_records.clear();
  uint64_t silent = 0;  // devices that are no slices
  while (!input.empty() && g_records.size() < 64) {
    const uint32_t kind = kKinds[input.Byte() % std::size(kKinds)];
    const auto known = g_sizes.find(kind);
    if (known == g_sizes.end()) continue;
    const size_t bytes = known->second;
    std::unique_ptr<uint8_t[]> record(new uint8_t[bytes]());
    std::memcpy(record.get(), &kind, sizeof(kind));
    const std::string_view content = input.Text(bytes - sizeof(kind));
    std::copy(content.begin(), content.end(), record.get() + sizeof(kind));
    namespace device = layout::device;
    silent += kind == CUPTI_ACTIVITY_KIND_DEVICE && bytes >= device::kMinimumBytes &&
              (record[device::kIsCudaVisible] == 0 || record[device::kIsMigEnabled] == 0);
    g_records.push_back(std::move(record));
  }
  Counter counter;
  const uint64_t count = TranslateActivities(api, sizes, nullptr, 0, &counter);
  Check(count == g_records.size(), "every record is walked over");
  Check(counter.taken + silent == count,
        "every record is told of exactly once, unless it is a device that is no slice");
  return 0;
}
