// SPDX-License-Identifier: Apache-2.0
// Calling functions of NVML that may be missing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "libmigprof/mig/nvml_api.h"

namespace migprof::mig {

// The function's return code; kNvmlFunctionNotFound when the library lacks it.
template <typename... Parameters, typename... Arguments>
int Ask(int (*function)(Parameters...), Arguments... arguments) {
  return function == nullptr ? kNvmlFunctionNotFound : function(arguments...);
}

// What a function writes into a buffer of `size` bytes; empty when it fails.
template <typename Call>
std::string TextOf(uint32_t size, Call call) {
  std::string text(size, '\0');
  if (call(text.data()) != kNvmlSuccess) return "";
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

inline std::string AskText(int (*function)(NvmlDevice, char*, uint32_t), NvmlDevice device, uint32_t size) {
  return TextOf(size, [&](char* buffer) { return Ask(function, device, buffer, size); });
}

inline std::string AskSystemText(int (*function)(char*, uint32_t), uint32_t size) {
  return TextOf(size, [&](char* buffer) { return Ask(function, buffer, size); });
}

}  // namespace migprof::mig
