// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "libmigprof/record/ring_records.h"
#include "tests/bench/figures.h"
#include "tests/bench/micro.h"

namespace migprof::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Pushes a batch that fits into an empty ring, timed; drains it, untimed.
void RingPush(benchmark::State& state) {
  constexpr uint64_t kRingBytes = 2 << 20;
  constexpr int kBatch = kRingBytes / sizeof(record::CallRecord) / 2;
  std::vector<uint64_t> memory(kRingBytes / 8);
  record::SpscRing ring;
  ring.Init(reinterpret_cast<uint8_t*>(memory.data()), kRingBytes);
  uint64_t pushed = 0;
  for (auto unused : state) {
    const auto start = Clock::now();
    for (uint32_t i = 0; i < kBatch; ++i) {
      record::CallRecord call{};
      call.header = {sizeof(call), record::RingRecordKind::kCall, 0, i};
      call.stack_hash = i;
      uint8_t* room = ring.Reserve(sizeof(call));
      if (room == nullptr) break;
      std::memcpy(room, &call, sizeof(call));
      ring.Commit();
      ++pushed;
    }
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    state.SetIterationTime(elapsed.count() / kBatch);
    ring.Drain([](const record::RingRecordHeader* record) { benchmark::DoNotOptimize(record->correlation); });
  }
  if (pushed != static_cast<uint64_t>(state.iterations()) * kBatch) state.SkipWithError("the ring was full");
}
BENCHMARK(RingPush)->UseManualTime()->Iterations(200);

}  // namespace

void BenchRing(Figures* figures) {
  std::printf("\n== ring: one call record (%zu bytes) into the ring of its thread\n", sizeof(record::CallRecord));
  figures->Add("ring_push", RunMicro("RingPush")["RingPush"], "ns");
}

}  // namespace migprof::bench
