// SPDX-License-Identifier: Apache-2.0
// What is to be remembered of calls until something else has come that belongs to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace migprof::analyze {

// By correlation id; kept for as many calls as a process can make between two chunks, and more. For one file; not
// thread-safe.
template <typename Value>
class RecentCalls {
 public:
  static constexpr size_t kKept = 256 * 1024;

  void Add(uint32_t correlation, const Value& value) {
    if (young_.size() >= kKept) {
      old_ = std::move(young_);
      young_ = {};
    }
    young_[correlation] = value;
  }

  // Null when it is not known, or was forgotten.
  const Value* Find(uint32_t correlation) const {
    for (const Values* values : {&young_, &old_}) {
      if (const auto call = values->find(correlation); call != values->end()) return &call->second;
    }
    return nullptr;
  }

  void Forget(uint32_t correlation) {
    young_.erase(correlation);
    old_.erase(correlation);
  }

 private:
  using Values = absl::flat_hash_map<uint32_t, Value>;
  Values young_;
  Values old_;
};

}  // namespace migprof::analyze
