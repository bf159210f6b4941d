// SPDX-License-Identifier: Apache-2.0
// What a trace says of itself: what is in it, and what is missing.
#pragma once

#include <array>
#include <cstdint>

namespace migprof::analyze {

// What was recorded, what was understood, and what was lost. Calls are CUDA API calls that give the GPU work.
struct Health {
  uint64_t launches = 0;   // calls recorded, and still there = matched + unmatched + captured + failed + cut off
  uint64_t matched = 0;    // … for which GPU activity was found
  uint64_t unmatched = 0;  // … for which none was, though some was to be expected
  uint64_t captured = 0;   // … that put a node into a CUDA graph instead of running
  uint64_t failed = 0;     // … that returned an error
  uint64_t dropped = 0;    // calls and activities lost before they reached a file
  uint64_t unplaced = 0;   // calls and activities of the processes, lost on whichever of their slices: CUPTI drops
                           // without a word on whose they are
  uint64_t other_calls_dropped = 0;  // calls that give no work, lost before they reached a file
  uint64_t untimed = 0;              // activities without usable times: counted, but of width 0
  uint64_t orphaned = 0;             // activities whose call is not in the trace; shown under "[unknown launch]"
  uint64_t stackless = 0;            // calls whose stack was lost
  uint64_t truncated = 0;            // calls whose stack lacks its outermost frames
  uint64_t graph_unattributed = 0;   // activities of graph nodes of which it is not known what captured or added them
  uint64_t sampled_out = 0;          // calls whose stack was left out to save time; others stand for it: no loss
  uint64_t ranges_lost = 0;          // ranges of the processes, on whatever slice, that were not kept
  uint64_t python_lost = 0;          // calls from Python whose Python frames were lost
  uint64_t unspliced = 0;            // calls whose Python frames are all there, but in a block of their own: no loss
  uint64_t damaged_bytes = 0;        // of trace files that could not be read
  uint64_t missing_chunks = 0;       // of trace files, and such files: not damaged but gone
  // Deleted to stay within MIGPROF_MAX_BYTES or MIGPROF_WINDOW, as was asked for: no loss.
  uint64_t rotated_files = 0;
  uint64_t rotated_bytes = 0;
  uint64_t rotated_launches = 0;
  uint64_t rotated_activities = 0;  // kernels, copies, memsets and runs of whole graphs
  // At the borders of what was deleted: launches whose activity was, and activities whose launch was.
  uint64_t cut_off_launches = 0;
  uint64_t cut_off_activities = 0;
  bool stopped = false;  // recording ended before the process did, so that an unknown amount is missing
  // When another CUPTI client took over, in ns since 1970, which is why it was stopped; the first of several; 0: none
  // did.
  uint64_t taken_over_ns = 0;
  bool killed = false;  // a process ended without closing its file
};

// The numbers in it, in the order in which outputs show them. What outputs do with each of them, they do with all in
// this table, so that none is forgotten.
struct HealthField {
  enum Meaning { kUnderstood, kLoss, kEstimate };  // of the last two kinds, something is not shown as it was
  const char* key;                                 // in summary.json
  uint64_t Health::*count;
  Meaning meaning;
  bool is_of_process = false;  // on each of its slices the same number again
};
inline constexpr std::array<HealthField, 25> kHealthFields = {{
    {"launches", &Health::launches, HealthField::kUnderstood},
    {"matched", &Health::matched, HealthField::kUnderstood},
    {"unmatched", &Health::unmatched, HealthField::kLoss},
    {"captured", &Health::captured, HealthField::kUnderstood},
    {"failed", &Health::failed, HealthField::kUnderstood},
    {"dropped", &Health::dropped, HealthField::kLoss},
    {"unplaced", &Health::unplaced, HealthField::kLoss, /*is_of_process=*/true},
    {"other_calls_dropped", &Health::other_calls_dropped, HealthField::kLoss},
    {"untimed", &Health::untimed, HealthField::kLoss},
    {"orphaned", &Health::orphaned, HealthField::kLoss},
    {"stackless", &Health::stackless, HealthField::kLoss},
    {"graph_unattributed", &Health::graph_unattributed, HealthField::kLoss},
    {"truncated", &Health::truncated, HealthField::kLoss},
    {"sampled_out", &Health::sampled_out, HealthField::kEstimate},
    {"python_lost", &Health::python_lost, HealthField::kLoss},
    {"ranges_lost", &Health::ranges_lost, HealthField::kLoss, /*is_of_process=*/true},
    {"unspliced", &Health::unspliced, HealthField::kEstimate},
    {"damaged_bytes", &Health::damaged_bytes, HealthField::kLoss},
    {"missing_chunks", &Health::missing_chunks, HealthField::kLoss},
    {"rotated_files", &Health::rotated_files, HealthField::kUnderstood},
    {"rotated_bytes", &Health::rotated_bytes, HealthField::kUnderstood},
    {"rotated_launches", &Health::rotated_launches, HealthField::kUnderstood},
    {"rotated_activities", &Health::rotated_activities, HealthField::kUnderstood},
    {"cut_off_launches", &Health::cut_off_launches, HealthField::kUnderstood},
    {"cut_off_activities", &Health::cut_off_activities, HealthField::kUnderstood},
}};
static_assert(sizeof(Health) == (kHealthFields.size() + 3) * sizeof(uint64_t), "a number without a line in the table");

// The health of several processes as one. Of several slices, what is of a process must not be added for each.
void AddHealth(const Health& health, Health* sum);

// Whether anything is missing from the picture. Calls that failed or were captured into a graph are not losses.
bool HasLoss(const Health& health);

}  // namespace migprof::analyze
