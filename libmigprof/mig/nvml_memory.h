// SPDX-License-Identifier: Apache-2.0
// Asking NVML how much memory of a GPU or slice is in use.
#pragma once

#include <cstdint>
#include <optional>

#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/nvml_ask.h"

namespace migprof::mig {

struct MemoryAnswer {
  int result = kNvmlSuccess;
  std::optional<uint64_t> total;
  std::optional<uint64_t> used;
};

// Used is what programs use, as nvidia-smi shows it, where the driver tells that apart from what it keeps for itself.
inline MemoryAnswer AskMemory(const NvmlApi& nvml, NvmlDevice device) {
  NvmlMemoryV2 memory_v2{};
  memory_v2.version = kNvmlMemoryV2Version;
  MemoryAnswer answer;
  answer.result = Ask(nvml.device_get_memory_info_v2, device, &memory_v2);
  if (answer.result == kNvmlSuccess) return {kNvmlSuccess, memory_v2.total, memory_v2.used};
  NvmlMemory memory{};
  answer.result = Ask(nvml.device_get_memory_info, device, &memory);
  if (answer.result == kNvmlSuccess) return {kNvmlSuccess, memory.total, memory.used};
  return answer;
}

}  // namespace migprof::mig
