// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/counter_series.h"

#include <algorithm>
#include <utility>

#include "libmigprof/analyze/counter_doubt.h"

namespace migprof::analyze {
namespace {

std::vector<uint64_t> EdgesOf(const std::vector<CounterSample>& samples) {
  std::vector<uint64_t> edges;
  for (const CounterSample& sample : samples) {
    if (sample.span_ns == 0) continue;
    edges.push_back(sample.time_ns - sample.span_ns);
    edges.push_back(sample.time_ns);
  }
  return edges;
}

// A value over a span counts by its length; one of a moment counts as all others.
double WeightOf(const CounterSample& sample) { return static_cast<double>(std::max<uint64_t>(sample.span_ns, 1)); }

void FillBins(const std::vector<CheckedSample>& samples, uint64_t first_ns, const Timeline& timeline,
              CounterSeries* series) {
  if (timeline.bin_ns == 0) return;
  std::vector<double> sums(timeline.bins.size());
  std::vector<double> weights(timeline.bins.size());
  for (const auto& [sample, busy, kernels] : samples) {
    if (sample.refused || sample.not_a_number || sample.time_ns < first_ns || sums.empty()) continue;
    const size_t last = std::min<uint64_t>((sample.time_ns - first_ns) / timeline.bin_ns, sums.size() - 1);
    const uint64_t start_ns = std::max(sample.time_ns - sample.span_ns, first_ns);
    size_t bin = std::min<uint64_t>((start_ns - first_ns) / timeline.bin_ns, last);
    for (; bin <= last; ++bin) {
      sums[bin] += sample.value;
      weights[bin] += 1;
    }
  }
  series->bins.resize(sums.size());
  for (size_t bin = 0; bin < sums.size(); ++bin) {
    if (weights[bin] > 0) series->bins[bin] = sums[bin] / weights[bin];
  }
}

CounterSeries SeriesOf(const mig::CounterInfo& counter, const std::vector<CheckedSample>& samples,
                       double capacity_bytes) {
  CounterSeries series;
  series.name = counter.name;
  series.unit = counter.unit;
  series.source = counter.source;
  double sum = 0;
  double weights = 0;
  for (const auto& [sample, busy, kernels] : samples) {
    if (sample.refused || sample.not_a_number) continue;
    series.smallest = series.samples == 0 ? sample.value : std::min(series.smallest, sample.value);
    series.largest = std::max(series.largest, sample.value);
    ++series.samples;
    sum += sample.value * WeightOf(sample);
    weights += WeightOf(sample);
  }
  if (weights > 0) series.mean = sum / weights;
  series.doubt = CounterDoubt(samples, capacity_bytes);
  return series;
}

}  // namespace

CounterMerge::CounterMerge(std::vector<CounterSample> samples)
    : samples_(std::move(samples)), busy_at_(EdgesOf(samples_)), kernels_at_(EdgesOf(samples_)) {
  has_spans_ = std::any_of(samples_.begin(), samples_.end(), [](const CounterSample& s) { return s.span_ns != 0; });
}

void CounterMerge::Watch(BusyTime* busy) {
  if (has_spans_) busy->Tell(&busy_at_, &kernels_at_);
}

std::vector<CounterSeries> CounterMerge::Finish(bool complete, uint64_t first_ns, const Timeline& timeline) {
  double capacity_bytes = 0;
  for (const CounterSample& sample : samples_) {
    if (sample.counter->id == mig::Counter::kMemoryTotal) capacity_bytes = std::max(capacity_bytes, sample.value);
  }
  std::vector<CounterSeries> all;
  for (const mig::CounterInfo& counter : mig::kCounters) {
    std::vector<CheckedSample> samples;
    for (const CounterSample& sample : samples_) {
      if (sample.counter != &counter) continue;
      CheckedSample& checked = samples.emplace_back();
      checked.sample = sample;
      if (!complete || sample.span_ns == 0) continue;
      const auto percent = [&](const BusyAtEdges& measured) {
        const uint64_t ns = measured.Between(sample.time_ns - sample.span_ns, sample.time_ns);
        return 100 * static_cast<double>(ns) / static_cast<double>(sample.span_ns);
      };
      checked.busy_percent = percent(busy_at_);
      checked.kernel_percent = percent(kernels_at_);
    }
    if (samples.empty()) continue;
    const bool is_memory = counter.id == mig::Counter::kMemoryUsed;
    all.push_back(SeriesOf(counter, samples, is_memory ? capacity_bytes : 0));
    FillBins(samples, first_ns, timeline, &all.back());
  }
  return all;
}

}  // namespace migprof::analyze
