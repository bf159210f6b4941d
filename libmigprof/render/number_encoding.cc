// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/number_encoding.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace migprof::render {
namespace {

constexpr uint64_t kBase = kDigits.size();
constexpr int kMaxDigits = 11;    // kBase^10 < 2^64 <= kBase^11
constexpr size_t kSample = 4096;  // enough to choose ranges by
constexpr int kShortRanges = 4;   // of 1, 2, 3 and 4 digits; the fifth takes the rest
using Leads = std::array<uint64_t, kShortRanges>;

uint64_t SaturatingMultiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  const bool overflows = __builtin_mul_overflow(a, b, &product);
  return overflows ? std::numeric_limits<uint64_t>::max() : product;
}

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  const bool overflows = __builtin_add_overflow(a, b, &sum);
  return overflows ? std::numeric_limits<uint64_t>::max() : sum;
}

// How many values `leads` first digits can tell apart in numbers of `digits` digits.
uint64_t ValuesOf(uint64_t leads, int digits) {
  uint64_t values = leads;
  for (int i = 1; i < digits; ++i) values = SaturatingMultiply(values, kBase);
  return values;
}

struct Range {
  int digits = 0;
  uint64_t leads = 0;
  uint64_t first_value = 0;
  uint64_t first_lead = 0;
};

std::vector<Range> RangesFrom(const Leads& short_leads, uint64_t max) {
  std::vector<Range> ranges;
  uint64_t value = 0;
  uint64_t lead = 0;
  const auto add = [&](int digits, uint64_t leads) {
    if (leads == 0) return;
    ranges.push_back({digits, leads, value, lead});
    value = SaturatingAdd(value, ValuesOf(leads, digits));
    lead += leads;
  };
  for (int i = 0; i < kShortRanges; ++i) add(i + 1, short_leads[static_cast<size_t>(i)]);
  if (max >= value) {
    int digits = kShortRanges + 1;
    while (digits < kMaxDigits && ValuesOf(kBase - lead, digits) <= max - value) ++digits;
    add(digits, kBase - lead);
  }
  return ranges;
}

// Characters that the sample takes in these ranges.
uint64_t CostOf(const std::vector<Range>& ranges, const std::vector<uint64_t>& sorted_sample) {
  uint64_t cost = 0;
  size_t from = 0;
  for (size_t i = 0; i < ranges.size() && from < sorted_sample.size(); ++i) {
    const auto end = i + 1 < ranges.size()
                         ? std::lower_bound(sorted_sample.begin(), sorted_sample.end(), ranges[i + 1].first_value)
                         : sorted_sample.end();
    const size_t to = static_cast<size_t>(end - sorted_sample.begin());
    cost += (to - from) * static_cast<uint64_t>(ranges[i].digits);
    from = to;
  }
  return cost;
}

// Tries some two thousand divisions of the first digits on a sample: 3 ms.
std::vector<Range> ChooseRanges(const std::vector<uint64_t>& numbers) {
  std::vector<uint64_t> sample;
  const size_t step = numbers.size() / kSample + 1;
  for (size_t i = 0; i < numbers.size(); i += step) sample.push_back(numbers[i]);
  std::sort(sample.begin(), sample.end());
  const uint64_t max = numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());

  constexpr uint64_t kSteps[] = {0, 2, 8, 20, 32, 48, 64, 76, 86, kBase};
  std::vector<Range> best;
  uint64_t best_cost = std::numeric_limits<uint64_t>::max();
  for (const uint64_t one : kSteps) {
    for (const uint64_t two : kSteps) {
      for (const uint64_t three : kSteps) {
        for (const uint64_t four : kSteps) {
          if (one + two + three + four > kBase) continue;
          std::vector<Range> ranges = RangesFrom({one, two, three, four}, max);
          const Range& last = ranges.back();
          const bool reaches_max =
              SaturatingAdd(last.first_value, ValuesOf(last.leads, last.digits)) > max || last.digits == kMaxDigits;
          if (!reaches_max || last.first_lead + last.leads > kBase) continue;
          const uint64_t cost = CostOf(ranges, sample);
          if (cost >= best_cost) continue;
          best_cost = cost;
          best = std::move(ranges);
        }
      }
    }
  }
  return best;
}

void AppendNumber(uint64_t number, const std::vector<Range>& ranges, std::string* text) {
  size_t i = ranges.size() - 1;
  while (i > 0 && number < ranges[i].first_value) --i;
  const Range& range = ranges[i];
  uint64_t rest = number - range.first_value;
  char digits[kMaxDigits];
  for (int k = range.digits - 1; k > 0; --k) {
    digits[k] = kDigits[rest % kBase];
    rest /= kBase;
  }
  digits[0] = kDigits[range.first_lead + rest];
  text->append(digits, static_cast<size_t>(range.digits));
}

}  // namespace

std::string EncodeNumbers(const std::vector<uint64_t>& numbers) {
  const std::vector<Range> ranges = ChooseRanges(numbers);
  std::string text = R"({"ranges":[)";
  for (const Range& range : ranges) {
    if (text.back() == ']') text += ',';
    text += '[' + std::to_string(range.digits) + ',' + std::to_string(range.leads) + ']';
  }
  text += R"(],"text":")";
  for (const uint64_t number : numbers) AppendNumber(number, ranges, &text);
  return text += R"("})";
}

}  // namespace migprof::render
