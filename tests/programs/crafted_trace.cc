// SPDX-License-Identifier: Apache-2.0
// Writes a small trace that is sound chunk by chunk, and claims to be huge. usage: crafted_trace KIND CHUNKS FILE
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "libmigprof/format/chunk_writer.h"
#include "tests/support/trace_builder.h"

namespace {

using namespace migprof::format;
using migprof::testing_support::TraceBuilder;
using Values = std::vector<uint64_t>;

constexpr uint32_t kRows = kMaxRows - 1;

class AppendingSink : public ByteSink {
 public:
  explicit AppendingSink(const std::string& path) : out_(path, std::ios::binary | std::ios::app) {}
  migprof::Error Append(std::span<const uint8_t> bytes) override {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return migprof::Error::None();
  }

 private:
  std::ofstream out_;
};

// `rows` numbers from `first` on, which zstd makes a few bytes of.
Values Counting(uint64_t first, uint64_t step = 1, uint32_t rows = kRows) {
  Values values(rows);
  for (uint64_t& value : values) value = first, first += step;
  return values;
}

Values Same(uint64_t value, uint32_t rows = kRows) { return Values(rows, value); }

ChunkBuilder Craft(const std::string& kind, uint64_t first) {
  const auto table = [](ChunkKind chunk_kind, const std::vector<std::pair<uint16_t, Values>>& columns) {
    ChunkBuilder chunk(chunk_kind, static_cast<uint32_t>(columns[0].second.size()));
    for (const auto& [id, values] : columns) chunk.AddColumn(id, ColumnEncoding::kDelta, values);
    if (chunk_kind >= ChunkKind::kCalls) chunk.SetTimes(1000, 0xffffffff);
    return chunk;
  };
  if (kind == "strings") return table(ChunkKind::kStrings, {{1, Counting(first)}});
  if (kind == "modules") return table(ChunkKind::kModules, {{1, Counting(first)}});
  if (kind == "frames") return table(ChunkKind::kFrames, {{1, Counting(first)}, {2, Counting(first)}});
  if (kind == "shapes") return table(ChunkKind::kKernelShapes, {{1, Counting(first)}});
  if (kind == "ranges") return table(ChunkKind::kRangeNodes, {{1, Counting(first)}});
  if (kind == "python") return table(ChunkKind::kPythonFrames, {{1, Counting(first)}});
  if (kind == "deep") {
    Values parents = Counting(first - 1);
    for (size_t i = 0; i < parents.size(); i += 4000) parents[i] = 0;
    return table(ChunkKind::kStackNodes, {{1, Counting(first)}, {2, parents}, {3, Counting(first)}});
  }
  const Values times = Counting(2000);
  if (kind == "calls") {
    return table(ChunkKind::kCalls, {{1, Counting(first)}, {2, times}, {4, Counting(first)}, {6, Same(1)}});
  }
  if (kind == "launches") return table(ChunkKind::kCalls, {{1, Counting(first)}, {2, times}, {6, Same(1)}});
  if (kind == "threads") {
    return table(ChunkKind::kCalls, {{1, Counting(first)}, {2, times}, {3, Counting(first)}, {6, Same(7)}});
  }
  if (kind == "kernels") {
    return table(ChunkKind::kKernels,
                 {{1, Counting(first)}, {2, Counting(5000, 10)}, {3, Same(3)}, {4, Counting(first)}});
  }
  if (kind == "intervals") {
    const Values starts = Counting(5000 + (first - 1000) * 10, 10);
    return table(ChunkKind::kKernels, {{1, Same(1)}, {2, starts}, {3, Same(3)}, {4, Same(1)}});
  }
  if (kind == "nodes") {
    constexpr uint32_t kFew = 4000;
    return table(ChunkKind::kGraphNodes, {{1, Counting(first << 20, 1 << 20, kFew)},
                                          {2, Same(2000, kFew)},
                                          {3, Same(1, kFew)},
                                          {6, Same(kMaxGraphNodesPerRow, kFew)}});
  }
  std::fprintf(stderr, "crafted_trace: no kind '%s'\n", kind.c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  {
    TraceBuilder trace(argv[3]);
    trace.Process({{"pid", "7"}, {"start_ns", "7"}});
    trace.Slice();
    trace.Call({.correlation = 1, .time_ns = 1000, .api = trace.String("cuLaunchKernel")});
    trace.Kernel({.correlation = 1, .start_ns = 2000, .duration_ns = 1000, .shape = trace.Shape("k")});
    trace.Flush();
  }
  AppendingSink sink(argv[3]);
  ChunkWriter writer(&sink);
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    if (!writer.Write(Craft(argv[1], 1000 + static_cast<uint64_t>(i) * kRows)).ok()) return 1;
  }
  return 0;
}
