// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/record_sizes.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace migprof::record {

void RecordSizes::Probe(const CuptiApi& api) {
  constexpr size_t kBufferBytes = 4096;  // several times the longest record
  std::vector<uint64_t> buffer(kBufferBytes / sizeof(uint64_t));
  auto* const bytes = reinterpret_cast<uint8_t*>(buffer.data());
  for (size_t kind = 1; kind < kKinds; ++kind) {
    for (uint64_t& slot : buffer) slot = kind;
    CUpti_Activity* first = nullptr;
    if (api.activity_get_next_record(bytes, kBufferBytes, &first) != CUPTI_SUCCESS) continue;
    CUpti_Activity* second = first;
    if (api.activity_get_next_record(bytes, kBufferBytes, &second) != CUPTI_SUCCESS) continue;
    sizes_[kind] = reinterpret_cast<uint8_t*>(second) - reinterpret_cast<uint8_t*>(first);
  }
}

}  // namespace migprof::record
