// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/pseudonyms.h"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <utility>
#include <vector>

#include "libmigprof/base/hash.h"

namespace migprof::analyze {
namespace {

std::string Numbered(NameOf what, size_t number) {
  constexpr const char* kFormats[] = {"function_%zu", "unnamed_%zu", "python_%zu",  "kernel_%zu", "range_%zu",
                                      "file_%zu",     "module_%zu",  "process_%zu", "host_%zu",   "boot_%zu",
                                      "GPU-%08zu",    "MIG-%08zu",   "profile_%zu"};
  char text[64];
  std::snprintf(text, sizeof(text), kFormats[static_cast<size_t>(what)], number);
  return text;
}

}  // namespace

void Pseudonyms::Count(NameOf what, const std::string& name, const NameWeight& weight) {
  NameWeight& sum = names_[static_cast<size_t>(what)][name].weight;
  sum.gpu_ns += weight.gpu_ns;
  sum.count += weight.count;
  sum.idle_ns += weight.idle_ns;
  sum.bytes += weight.bytes;
  sum.depth = std::min(sum.depth, weight.depth);
}

const std::string& Pseudonyms::Get(NameOf what, const std::string& name) {
  if (name.empty()) return name;
  if (!assigned_) Assign();
  Entry& entry = names_[static_cast<size_t>(what)][name];
  if (entry.pseudonym.empty()) entry.pseudonym = Numbered(what, 0);
  return entry.pseudonym;
}

void Pseudonyms::Assign() {
  assigned_ = true;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    std::vector<std::pair<const std::string*, Entry*>> entries;
    for (auto& [name, entry] : names_[kind]) entries.emplace_back(&name, &entry);
    // The alphabet must not show through where weights are the same.
    const auto key = [](const auto& named) {
      const NameWeight& weight = named.second->weight;
      return std::tuple(~weight.gpu_ns, ~weight.count, ~weight.idle_ns, ~weight.bytes, weight.depth,
                        HashBytes(named.first->data(), named.first->size()));
    };
    std::sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    for (size_t i = 0; i < entries.size(); ++i) {
      entries[i].second->pseudonym = Numbered(static_cast<NameOf>(kind), i + 1);
    }
  }
}

}  // namespace migprof::analyze
