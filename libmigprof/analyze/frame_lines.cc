// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/frame_lines.h"

#include <map>
#include <utility>
#include <vector>

namespace migprof::analyze {

const SourceChain* FrameLines::Find(uint64_t frame) {
  if (lines_ == nullptr) return nullptr;
  if (definitions_ != nullptr) LookUpAll();
  const auto chain = chains_.find(frame);
  return chain != chains_.end() ? chain->second.get() : nullptr;
}

void FrameLines::LookUpAll() {
  struct Wanted {
    std::vector<uint64_t> frames;
    std::vector<uint64_t> addresses;
  };
  std::map<uint64_t, Wanted> by_module;
  for (const auto& [id, frame] : definitions_->frames()) {
    const ModuleDefinition* module = definitions_->Module(frame.module);
    if (module == nullptr) continue;
    Wanted& wanted = by_module[frame.module];
    wanted.frames.push_back(id);
    // Return addresses point behind the call, and so often at another line.
    wanted.addresses.push_back(frame.address - 1 - module->bias);
  }
  for (const auto& [id, wanted] : by_module) {
    const ModuleDefinition* module = definitions_->Module(id);
    const std::string& path = definitions_->String(module->path);
    if (wanted_ != nullptr && !wanted_(path)) continue;
    auto chains = lines_->Find(definitions_->String(module->build_id), path, wanted.addresses);
    for (size_t i = 0; i < chains.size(); ++i) {
      if (chains[i] != nullptr) chains_.emplace(wanted.frames[i], std::move(chains[i]));
    }
  }
  definitions_ = nullptr;  // done
}

}  // namespace migprof::analyze
