// SPDX-License-Identifier: Apache-2.0
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <random>

#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/file_source.h"
#include "libmigprof/format/chunk_reader.h"
#include "tests/bench/child.h"
#include "tests/bench/figures.h"
#include "tests/support/trace_builder.h"

namespace migprof::bench {
namespace {

namespace fs = std::filesystem;
using testing_support::TraceBuilder;

constexpr uint64_t kPairsPerSlice = 4'000'000;
constexpr uint64_t kRowsPerChunk = 32 * 1024;

double Seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

// A slice that repeats an iteration of 1500 launches from 400 stacks of 40 frames, with jitter in all times.
void WriteSlice(const fs::path& path, int slice, uint64_t pairs) {
  std::mt19937_64 random(static_cast<uint64_t>(slice));
  TraceBuilder trace(path.string());
  trace.Process({{"pid", std::to_string(100 + slice)}});
  trace.Slice({{"mig_uuid", "MIG-00000000-0000-0000-0000-00000000000" + std::to_string(slice)},
               {"gpu_instance_id", std::to_string(slice)}});
  const uint64_t module = trace.Module("/usr/bin/train");
  std::vector<uint64_t> frames;
  for (uint64_t i = 0; i < 3000; ++i) {
    frames.push_back(
        trace.Frame("_ZN5model" + std::to_string(8) + "Layer" + std::to_string(100 + i % 900) + "E", module, 64 * i));
  }
  std::vector<uint64_t> stacks;
  for (int i = 0; i < 400; ++i) {
    std::vector<uint64_t> stack(frames.begin(), frames.begin() + 30);
    for (int deep = 0; deep < 10; ++deep) stack.push_back(frames[random() % frames.size()]);
    stacks.push_back(trace.Stack(stack));
  }
  std::vector<uint64_t> shapes;
  for (int i = 0; i < 60; ++i) shapes.push_back(trace.Shape("_Z7kernel" + std::to_string(10 + i) + "PfS_i"));
  struct Launch {
    uint64_t stack, shape, duration, gap;
  };
  std::vector<Launch> iteration(1500);
  for (Launch& launch : iteration) {
    launch = {stacks[random() % stacks.size()], shapes[random() % shapes.size()], 2'000 + random() % 50'000,
              3'000 + random() % 5'000};
  }
  const uint64_t api = trace.String("cuLaunchKernel");
  uint64_t host = 1'700'000'000'000'000'000;
  uint64_t gpu = host;
  for (uint64_t i = 0; i < pairs; ++i) {
    const Launch& launch = iteration[i % iteration.size()];
    host += launch.gap + random() % 200;
    gpu = std::max(gpu + 800, host + 4'000);
    const uint64_t duration = launch.duration + random() % (1 + launch.duration / 30);
    trace.Call({.correlation = 3 * i + 1, .time_ns = host, .stack_node = launch.stack, .api = api});
    trace.Kernel({.correlation = 3 * i + 1, .start_ns = gpu, .duration_ns = duration, .shape = launch.shape});
    gpu += duration;
    if (i % kRowsPerChunk == kRowsPerChunk - 1) trace.Flush();
  }
  trace.Close();
}

double MergeSeconds(const std::vector<std::string>& files, int threads) {
  analyze::AnalysisOptions options;
  options.threads = threads;
  std::vector<double> times;
  for (int round = 0; round < 3; ++round) {
    times.push_back(Seconds([&] { analyze::AnalyzeTraces(files, options); }));
  }
  return Median(times);
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What metrics add to reading and joining `file`.
struct MetricsCost {
  double ratio = 0;    // processor time with them over that without
  double seconds = 0;  // the difference
};

// The two take turns, so that whatever else the machine does falls on both.
MetricsCost MeasureMetrics(const std::string& file) {
  std::vector<double> ratios;
  std::vector<double> differences;
  for (int round = 0; round < 11; ++round) {
    double seconds[2];
    for (const bool metrics : {round % 2 == 0, round % 2 != 0}) {
      analyze::AnalysisOptions options;
      options.threads = 1;
      options.metrics = metrics;
      const double start = CpuSeconds();
      analyze::AnalyzeTraces({file}, options);
      seconds[metrics ? 1 : 0] = CpuSeconds() - start;
    }
    std::printf("metrics: %.3f s of processor time with them, %.3f s without\n", seconds[1], seconds[0]);
    ratios.push_back(seconds[1] / seconds[0]);
    differences.push_back(seconds[1] - seconds[0]);
  }
  return {Median(ratios), Median(differences)};
}

// Reading and decompressing the same files, and nothing else.
double DecompressSeconds(const std::string& file) {
  class NoDamage : public format::DamageReporter {
    void OnDamage(uint64_t, uint64_t, const char*) override {}
  };
  std::vector<double> times;
  for (int round = 0; round < 3; ++round) {
    times.push_back(Seconds([&] {
      auto source = analyze::OpenTraceFile(file);
      NoDamage damage;
      format::ChunkReader reader(source->get(), &damage);
      format::ChunkRef ref;
      format::Chunk chunk;
      while (reader.Next(&ref) == format::ChunkReader::Status::kChunk) reader.ReadPayload(ref, &chunk);
    }));
  }
  return Median(times);
}

}  // namespace

void BenchMerge(Figures* figures) {
  std::printf("\n== merge: %llu launch/kernel pairs on each of two slices\n",
              static_cast<unsigned long long>(kPairsPerSlice));
  const fs::path folder = fs::temp_directory_path() / ("migprof-bench-merge-" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::vector<std::string> files;
  for (int slice = 0; slice < 2; ++slice) {
    files.push_back((folder / ("slice" + std::to_string(slice) + ".migtrace")).string());
    WriteSlice(files.back(), slice, kPairsPerSlice);
  }
  const std::string tenth = (folder / "tenth.trace").string();
  WriteSlice(tenth, 2, kPairsPerSlice / 10);

  // Beside the figure of the training workload, whose modelled GPU times repeat exactly: here every time jitters.
  const double bytes_per_pair = static_cast<double>(fs::file_size(files[0])) / kPairsPerSlice;

  const double one = MergeSeconds({files[0]}, 1);
  const double two_on_one = MergeSeconds(files, 1);
  const double two_on_two = MergeSeconds(files, 2);
  const MetricsCost metrics = MeasureMetrics(files[0]);
  const double decompress = DecompressSeconds(files[0]);
  const std::string merge = BuiltFile("bin/migprof-merge");
  const std::string output = (folder / "out").string();
  std::vector<double> whole;
  for (int round = 0; round < 3; ++round)
    whole.push_back(RunChild({merge, "-q", "-j", "1", "-o", output, files[0]}).seconds);
  const double peak = RunChild({merge, "-q", "-j", "1", "-o", output, files[0]}).peak_mb;
  const double peak_of_tenth = RunChild({merge, "-q", "-j", "1", "-o", output, tenth}).peak_mb;
  std::printf("one slice on one thread %.3f s; two slices on one %.3f s, on two %.3f s; decompression alone %.3f s\n",
              one, two_on_one, two_on_two, decompress);
  std::printf("peak memory %.1f MB for one slice, %.1f MB for a tenth of its events\n", peak, peak_of_tenth);
  fs::remove_all(folder);
  figures->Add("trace_bytes_per_pair_jittered", bytes_per_pair, "B");
  figures->Add("merge_pairs_per_second_core", kPairsPerSlice / one, "pairs/s");
  figures->Add("merge_over_zstd", one / decompress, "x");
  figures->Add("merge_two_core_speedup", two_on_one / two_on_two, "x");
  figures->Add("metrics_merge_cost", metrics.ratio, "x");
  figures->Add("metrics_merge_ns_per_pair", metrics.seconds * 1e9 / kPairsPerSlice, "ns");
  // Of the whole program, that also reads names and draws.
  figures->Add("metrics_whole_merge_cost", Median(whole) / (Median(whole) - metrics.seconds), "x");
  figures->Add("merge_peak_mb", peak, "MB");
  figures->Add("merge_peak_mb_tenth", peak_of_tenth, "MB");
}

}  // namespace migprof::bench
