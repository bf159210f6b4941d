// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/counter_samples.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libmigprof/analyze/file_source.h"
#include "libmigprof/format/chunk_reader.h"

namespace migprof::analyze {
namespace {

namespace column = format::column::counter_samples;

constexpr double kPpmPerPercent = 10'000;

bool IsSamples(const format::ChunkRef& chunk) { return chunk.kind() == format::ChunkKind::kCounterSamples; }

void Take(const format::Chunk& chunk, std::vector<CounterSample>* samples) {
  std::vector<uint64_t> times, counters, values, flags, spans;
  if (!chunk.Column(column::kTime, &times) || !chunk.Column(column::kCounter, &counters) ||
      !chunk.Column(column::kValue, &values) || !chunk.Column(column::kFlags, &flags) ||
      !chunk.Column(column::kSpan, &spans)) {
    return;
  }
  for (size_t row = 0; row < times.size(); ++row) {
    const mig::CounterInfo* const counter = mig::FindCounter(counters[row]);
    if (counter == nullptr) continue;
    CounterSample sample;
    sample.counter = counter;
    sample.time_ns = times[row];
    sample.span_ns = std::min(spans[row], times[row]);
    sample.refused = (flags[row] & format::kCounterRefused) != 0;
    sample.not_a_number = (flags[row] & format::kCounterNotANumber) != 0;
    sample.stale = (flags[row] & format::kCounterStale) != 0;
    if (sample.refused) {
      sample.error = values[row];
    } else {
      const bool is_percent = std::string_view(counter->unit) == "percent";
      sample.value = static_cast<double>(values[row]) / (is_percent ? kPpmPerPercent : 1);
    }
    samples->push_back(sample);
  }
}

}  // namespace

void ReadCounterSamples(const TraceScan& scan, std::vector<CounterSample>* samples) {
  if (std::none_of(scan.chunks.begin(), scan.chunks.end(), IsSamples)) return;
  size_t next = 0;
  for (const TracePart& part : scan.parts) {
    const size_t begin = std::exchange(next, part.end_chunk);
    auto source = OpenTraceFile(part.path);
    if (!source.ok()) continue;
    ProblemCollector damage(part.path);
    format::ChunkReader reader(source->get(), &damage);
    format::Chunk chunk;
    for (size_t i = begin; i < part.end_chunk; ++i) {
      const format::ChunkRef& ref = scan.chunks[i];
      if (IsSamples(ref) && reader.ReadPayload(ref, &chunk)) Take(chunk, samples);
    }
  }
}

}  // namespace migprof::analyze
