// SPDX-License-Identifier: Apache-2.0
// Values that every JSON output writes alike.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "libmigprof/mig/nvml_error.h"

namespace migprof::render {

using Json = nlohmann::ordered_json;  // members in the order they are written

// Null for what is not known.
inline Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
template <typename Number>
Json OrNull(const std::optional<Number>& number) {
  return number ? Json(*number) : Json(nullptr);
}

// What NVML answered instead of a value; null when all went well.
inline Json NvmlRefusal(int code) {
  if (code == 0) return nullptr;
  return {{"nvml_code", code}, {"text", mig::NvmlErrorText(code)}};
}

}  // namespace migprof::render
