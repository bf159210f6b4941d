// SPDX-License-Identifier: Apache-2.0
// Reads what the encoders write, independently of them, as viewer/decode.js does.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libmigprof/render/number_encoding.h"

namespace migprof::render {

inline std::vector<uint64_t> DecodeNumbers(const nlohmann::json& column) {
  const std::string text = column["text"];
  std::vector<uint64_t> numbers;
  for (size_t at = 0; at < text.size();) {
    uint64_t lead = kDigits.find(text.at(at++));
    uint64_t first = 0;
    for (const auto& range : column["ranges"]) {
      const uint64_t digits = range[0];
      const uint64_t leads = range[1];
      uint64_t step = 1;
      for (uint64_t i = 1; i < digits; ++i) step *= kDigits.size();
      if (lead >= leads) {
        lead -= leads;
        first += leads * step;
        continue;
      }
      uint64_t rest = lead;
      for (uint64_t i = 1; i < digits; ++i) rest = rest * kDigits.size() + kDigits.find(text.at(at++));
      numbers.push_back(first + rest);
      break;
    }
  }
  return numbers;
}

}  // namespace migprof::render
