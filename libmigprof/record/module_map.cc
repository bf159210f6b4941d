// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/module_map.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace migprof::record {
namespace {

// An address inside this library.
void OwnCode() {}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, length) : std::string();
}

std::string Hexadecimal(const uint8_t* bytes, size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

// The build id in a PT_NOTE segment of a loaded module.
std::string BuildId(const uint8_t* notes, size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof(note));
    const size_t name_bytes = (size_t{note.n_namesz} + 3) & ~size_t{3};
    const size_t description_bytes = (size_t{note.n_descsz} + 3) & ~size_t{3};
    const size_t total = sizeof(note) + name_bytes + description_bytes;
    if (total > size) return "";
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes + sizeof(note), "GNU", 4) == 0) {
      return Hexadecimal(notes + sizeof(note) + name_bytes, note.n_descsz);
    }
    notes += total;
    size -= total;
  }
  return "";
}

}  // namespace

struct ModuleMap::Walk {
  std::vector<Module> found;
  uint64_t known_adds;
  uint64_t known_subs;
  uint64_t adds = 0;
  uint64_t subs = 0;
  bool unchanged = false;
  bool out_of_memory = false;
};

int ModuleMap::Visit(dl_phdr_info* info, size_t size, void* data) {
  auto* const walk = static_cast<Walk*>(data);
  try {
    return Note(info, size, walk);
  } catch (...) {  // nothing may be thrown through dl_iterate_phdr: libc has its own unwinder
    walk->out_of_memory = true;
    return 1;
  }
}

int ModuleMap::Note(dl_phdr_info* info, size_t size, Walk* walk) {
  if (size >= offsetof(dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs)) {
    walk->adds = info->dlpi_adds;
    walk->subs = info->dlpi_subs;
    if (walk->adds == walk->known_adds && walk->subs == walk->known_subs) {
      walk->unchanged = true;
      return 1;
    }
  }
  Module module;
  module.path = info->dlpi_name != nullptr ? info->dlpi_name : "";
  if (module.path.empty() && walk->found.empty()) module.path = ExecutablePath();
  module.bias = info->dlpi_addr;
  module.start = UINT64_MAX;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const uint64_t address = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD) {
      module.start = std::min(module.start, address);
      module.end = std::max<uint64_t>(module.end, address + segment.p_memsz);
    } else if (segment.p_type == PT_NOTE && module.build_id.empty()) {
      module.build_id = BuildId(reinterpret_cast<const uint8_t*>(address), segment.p_memsz);
    }
  }
  if (module.end == 0) return 0;
  const auto own = reinterpret_cast<uint64_t>(&OwnCode);
  module.is_profiler = own >= module.start && own < module.end;
  walk->found.push_back(std::move(module));
  return 0;
}

uint32_t ModuleMap::Intern(Module module) {
  for (const auto& [end, id] : by_end_) {
    if ((*this)[id].IsSame(module)) return id;
  }
  module.id = base_ + static_cast<uint32_t>(modules_.size() + 1);
  modules_.push_back(std::move(module));
  return modules_.back().id;
}

bool ModuleMap::Refresh() {
  Walk walk{.found = {}, .known_adds = adds_, .known_subs = subs_};
  dl_iterate_phdr(&ModuleMap::Visit, &walk);
  if (walk.out_of_memory) throw std::bad_alloc();
  if (walk.unchanged) return false;
  const bool some_went = adds_ != 0 && walk.subs != subs_;
  std::map<uint64_t, uint32_t> snapshot;
  for (Module& module : walk.found) {
    const uint64_t end = module.end;
    snapshot[end] = Intern(std::move(module));
  }
  by_end_ = std::move(snapshot);
  adds_ = walk.adds;
  subs_ = walk.subs;
  return some_went;
}

void ModuleMap::Succeed(const ModuleMap& older, uint32_t base) {
  base_ = base;
  adds_ = older.adds_;
  subs_ = older.subs_;
  for (const auto& [end, id] : older.by_end_) {
    Module module = older[id];
    module.id = base_ + static_cast<uint32_t>(modules_.size() + 1);
    by_end_[end] = module.id;
    modules_.push_back(std::move(module));
  }
}

uint32_t ModuleMap::Keep(const Module& gone) {
  for (const Module& known : modules_) {
    if (known.IsSame(gone)) return known.id;
  }
  Module& kept = modules_.emplace_back(gone);
  return kept.id = last_id();
}

const Module* ModuleMap::Find(uint64_t address) const {
  const auto entry = by_end_.upper_bound(address);
  if (entry == by_end_.end()) return nullptr;
  const Module& module = (*this)[entry->second];
  return address >= module.start ? &module : nullptr;
}

}  // namespace migprof::record
