// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "libmigprof/analyze/build_id.h"
#include "libmigprof/analyze/line_table.h"
#include "tests/bench/child.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

constexpr size_t kAddresses = 5000;

double MicrosecondsPerAddress(analyze::LineTable* table, const std::string& build_id, const std::string& program,
                              const std::vector<uint64_t>& addresses, size_t* frames) {
  const auto start = std::chrono::steady_clock::now();
  const auto chains = table->Find(build_id, program, addresses);
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
  *frames = 0;
  for (const auto& chain : chains) *frames += chain != nullptr ? chain->size() : 0;
  return elapsed.count() / static_cast<double>(addresses.size());
}

}  // namespace

void BenchSymbols(Figures* figures) {
  std::printf("\n== symbols: source lines and inlined functions of %zu addresses of this program\n", kAddresses);
  if (!analyze::LineTable::IsAvailable()) {
    std::printf("not measured: built without libdw\n");
    return;
  }
  const std::string program = BuiltFile("bin/migprof-bench");
  const int descriptor = analyze::OpenRegularFile(program);
  const std::string build_id = analyze::ReadBuildId(descriptor);
  close(descriptor);
  // The program's own code; a profile has fewer addresses, in fewer functions.
  extern const char code_start __asm__("__executable_start");
  extern const char code_end __asm__("etext");
  const auto bytes = static_cast<uint64_t>(&code_end - &code_start);
  std::mt19937_64 random(3);
  std::vector<uint64_t> addresses;
  for (size_t i = 0; i < kAddresses; ++i) addresses.push_back(random() % bytes);

  std::vector<double> cold;
  std::vector<double> warm;
  std::vector<double> single;
  size_t frames = 0;
  for (int round = 0; round < 5; ++round) {
    analyze::LineTable table({.debug_folders = {}, .debuginfod = false});
    cold.push_back(MicrosecondsPerAddress(&table, build_id, program, addresses, &frames));
    warm.push_back(MicrosecondsPerAddress(&table, build_id, program, addresses, &frames));
    analyze::LineTable other({.debug_folders = {}, .debuginfod = false});
    size_t ignored = 0;
    single.push_back(MicrosecondsPerAddress(&other, build_id, program, std::vector<uint64_t>{addresses[0]}, &ignored));
  }
  std::printf("%.2f frames per address; one address alone %.1f ms\n", static_cast<double>(frames) / kAddresses,
              Median(single) / 1e3);
  figures->Add("symbols_cold_us_per_address", Median(cold), "us");
  figures->Add("symbols_warm_us_per_address", Median(warm), "us");
  figures->Add("symbols_first_address_ms", Median(single) / 1e3, "ms");
}

}  // namespace migprof::bench
