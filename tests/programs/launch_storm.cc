// SPDX-License-Identifier: Apache-2.0
// launch_storm SECONDS THREADS FILE: launches from so many threads without a pause, each call timed, and writes
// "LAUNCHES MEDIAN_NS P999_NS MAX_NS" into the file.
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/programs/hazards/hazards.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostQueued = 1000;

// Times in buckets a sixteenth of their power of two wide.
class Histogram {
 public:
  void Add(uint64_t ns) {
    ++counts_[Bucket(ns)];
    ++total_;
    if (ns > max_ns_) max_ns_ = ns;
  }
  void Add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ns_ > max_ns_) max_ns_ = other.max_ns_;
  }
  uint64_t Quantile(double share) const {
    uint64_t left = static_cast<uint64_t>(share * static_cast<double>(total_));
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > left) return Floor(i);
      left -= counts_[i];
    }
    return max_ns_;
  }
  uint64_t total() const { return total_; }
  uint64_t max_ns() const { return max_ns_; }

 private:
  static size_t Bucket(uint64_t ns) {
    if (ns < 16) return ns;
    const int power = std::bit_width(ns) - 1;
    return static_cast<size_t>(power - 3) * 16 + (ns >> (power - 4) & 15);
  }
  static uint64_t Floor(size_t bucket) {
    if (bucket < 16) return bucket;
    return (16 + bucket % 16) << (bucket / 16 - 1);
  }

  std::array<uint64_t, 61 * 16> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ns_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto seconds = std::chrono::duration<double>(std::atof(argv[1]));
  hazards::Gpu gpu;
  gpu.Launch(1000);  // cold code
  CHECK_CUDA(cuCtxSynchronize());
  std::vector<Histogram> times(std::strtoul(argv[2], nullptr, 10));
  std::vector<std::thread> threads;
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds);
  for (Histogram& mine : times) {
    threads.emplace_back([&] {
      gpu.Enter();
      CUstream stream;
      CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
      workload::KernelArguments arguments(gpu.data, 16);
      int queued = 0;
      for (Clock::time_point before = Clock::now(); before < end;) {
        // As with a real driver, whose queues are not without end.
        if (++queued > kMostQueued) {
          queued = 0;
          CHECK_CUDA(cuStreamSynchronize(stream));
          before = Clock::now();
        }
        CHECK_CUDA(cuLaunchKernel(gpu.kernel, 64, 1, 1, 128, 1, 1, 0, stream, arguments.pointers(), nullptr));
        const Clock::time_point after = Clock::now();
        mine.Add(static_cast<uint64_t>((after - before).count()));
        before = after;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_CUDA(cuCtxSynchronize());
  Histogram all;
  for (const Histogram& mine : times) all.Add(mine);
  FILE* const file = std::fopen(argv[3], "we");
  if (file == nullptr) return 1;
  std::fprintf(file, "%llu %llu %llu %llu\n", static_cast<unsigned long long>(all.total() + 1000),
               static_cast<unsigned long long>(all.Quantile(0.5)), static_cast<unsigned long long>(all.Quantile(0.999)),
               static_cast<unsigned long long>(all.max_ns()));
  return std::fclose(file) == 0 ? 0 : 1;
}
