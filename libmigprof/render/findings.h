// SPDX-License-Identifier: Apache-2.0
// What stands out in a profile, in plain sentences with numbers, the most important first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/headline.h"

namespace migprof::render {

enum class Severity : uint8_t { kWaste, kWarning, kNote };

// A piece of a sentence, clean text.
struct Words {
  std::string text;
  enum class Style : uint8_t { kPlain, kStrong, kCode } style = Style::kPlain;
};
using Sentence = std::vector<Words>;

std::string PlainText(const Sentence& sentence);

struct Finding {
  std::string topic;  // "idle", "small kernels", "copies", "memory", "short kernels", "losses", "counter", "cost"
  Severity severity = Severity::kNote;
  std::optional<size_t> slice;  // index into the profile's
  Sentence sentence;
  std::string advice;              // a sentence or two, or empty
  std::string second_advice = {};  // what helps against the second cause, where that is large
  std::vector<Figure> evidence;    // the numbers behind it
  uint64_t weight = 0;             // what is lost, mostly in ns × SMs; orders findings of one severity
};

struct Findings {
  Sentence verdict;               // one sentence about all slices
  std::optional<size_t> worst;    // the slice that it is about
  std::vector<Finding> findings;  // by severity, then weight, then slice
};

// Below this share of its window a slice counts as underused.
inline constexpr double kUnderused = 0.70;

// Same profile, same findings.
Findings FindWhatStandsOut(const analyze::Profile& profile);

}  // namespace migprof::render
