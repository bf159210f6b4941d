// SPDX-License-Identifier: Apache-2.0
// Reads a cubin: an ELF file of machine 190. Kernels are function symbols marked as entries; what they use of an SM
// stands in the
// `.nv.info` sections, as a list of (format, attribute, value).
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "image/module_image.h"

namespace simgpu::image {
namespace {

constexpr uint16_t kMachineCuda = 190;
// st_other of a kernel, as opposed to a device function.
constexpr uint8_t kEntryFlag = 0x10;
// From sm_90 on `.nv.shared.<kernel>` includes what the system reserves for itself.
constexpr uint32_t kReservedSharedBytes = 1024;

enum InfoFormat : uint8_t { kInfoSized = 4 };

// Attributes of `.nv.info`, as found in cubins of CUDA 13.
enum InfoAttribute : uint8_t {
  kInfoMaxThreads = 0x05,       // three dimensions, from __launch_bounds__
  kInfoRequiredThreads = 0x10,  // the same, from reqntid
  kInfoFrameSize = 0x11,        // (symbol, bytes of local memory)
  kInfoParameter = 0x17,        // (index, ordinal and offset, size and flags)
  kInfoRegisterCount = 0x2f,    // (symbol, registers)
  kInfoClusterSize = 0x3d,      // three dimensions
};

class Cubin {
 public:
  explicit Cubin(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool Open();
  uint32_t Architecture() const;
  void ReadSymbols(ModuleImage* module);
  void ReadInfo(ModuleImage* module);
  void ReadSharedMemory(ModuleImage* module);

 private:
  template <class T>
  bool Get(uint64_t offset, T* value) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + offset, sizeof(T));
    return true;
  }
  std::string_view String(const Elf64_Shdr& table, uint64_t offset) const;
  std::span<const uint8_t> Content(const Elf64_Shdr& section) const;
  std::string_view Name(const Elf64_Shdr& section) const {
    return String(sections_[header_.e_shstrndx], section.sh_name);
  }
  void ReadVariable(const Elf64_Sym& symbol, std::string_view name, ModuleImage* module) const;
  void ReadInfoSection(std::span<const uint8_t> content, Kernel* kernel, ModuleImage* module) const;
  Kernel* KernelOfSymbol(uint32_t index, ModuleImage* module) const;

  const std::span<const uint8_t> bytes_;
  Elf64_Ehdr header_ = {};
  std::vector<Elf64_Shdr> sections_;
  std::map<uint32_t, size_t> kernel_of_symbol_;  // symbol index → index into ModuleImage::kernels
};

bool Cubin::Open() {
  if (!Get(0, &header_) || header_.e_machine != kMachineCuda || header_.e_shentsize != sizeof(Elf64_Shdr)) return false;
  for (uint32_t i = 0; i < header_.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!Get(header_.e_shoff + i * sizeof(section), &section)) return false;
    sections_.push_back(section);
  }
  return header_.e_shstrndx < sections_.size();
}

uint32_t Cubin::Architecture() const {
  // The field moved with version 8 of the ABI, in CUDA 13.
  const uint32_t flags = header_.e_flags;
  return header_.e_ident[EI_ABIVERSION] >= 8 ? (flags >> 8) & 0xff : flags & 0xff;
}

std::string_view Cubin::String(const Elf64_Shdr& table, uint64_t offset) const {
  const std::span<const uint8_t> content = Content(table);
  if (offset >= content.size()) return {};
  const char* text = reinterpret_cast<const char*>(content.data() + offset);
  return {text, strnlen(text, content.size() - offset)};
}

std::span<const uint8_t> Cubin::Content(const Elf64_Shdr& section) const {
  if (section.sh_type == SHT_NOBITS || section.sh_offset > bytes_.size()) return {};
  return bytes_.subspan(section.sh_offset, std::min<uint64_t>(section.sh_size, bytes_.size() - section.sh_offset));
}

void Cubin::ReadSymbols(ModuleImage* module) {
  for (const Elf64_Shdr& section : sections_) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections_.size()) continue;
    for (uint32_t i = 0; i * sizeof(Elf64_Sym) + sizeof(Elf64_Sym) <= section.sh_size; ++i) {
      Elf64_Sym symbol;
      if (!Get(section.sh_offset + i * sizeof(symbol), &symbol)) return;
      const std::string_view name = String(sections_[section.sh_link], symbol.st_name);
      const int type = ELF64_ST_TYPE(symbol.st_info);
      if (type == STT_FUNC && (symbol.st_other & kEntryFlag) != 0 && symbol.st_shndx != SHN_UNDEF) {
        kernel_of_symbol_[i] = module->kernels.size();
        module->kernels.push_back({.name = std::string(name), .parameters = {}});
      } else if (type == STT_OBJECT && symbol.st_shndx < sections_.size()) {
        ReadVariable(symbol, name, module);
      }
    }
  }
}

void Cubin::ReadVariable(const Elf64_Sym& symbol, std::string_view name, ModuleImage* module) const {
  const Elf64_Shdr& section = sections_[symbol.st_shndx];
  const std::string_view section_name = Name(section);
  const bool is_constant = section_name == ".nv.constant3";
  const bool is_global = section_name == ".nv.global" || section_name == ".nv.global.init";
  if (!is_constant && !is_global) return;
  Variable variable{.name = std::string(name), .bytes = symbol.st_size, .initial = {}, .is_constant = is_constant};
  const std::span<const uint8_t> content = Content(section);
  if (symbol.st_value <= content.size() && symbol.st_size <= content.size() - symbol.st_value) {
    const auto initial = content.subspan(symbol.st_value, symbol.st_size);
    variable.initial.assign(initial.begin(), initial.end());
  }
  module->variables.push_back(std::move(variable));
}

Kernel* Cubin::KernelOfSymbol(uint32_t index, ModuleImage* module) const {
  const auto found = kernel_of_symbol_.find(index);
  return found != kernel_of_symbol_.end() ? &module->kernels[found->second] : nullptr;
}

void Cubin::ReadInfoSection(std::span<const uint8_t> content, Kernel* kernel, ModuleImage* module) const {
  for (size_t position = 0; position + 4 <= content.size();) {
    const uint8_t format = content[position];
    const uint8_t attribute = content[position + 1];
    uint16_t size;
    std::memcpy(&size, &content[position + 2], sizeof(size));
    position += 4;
    if (format != kInfoSized) continue;  // its value is in the two bytes just read
    if (size > content.size() - position) return;
    uint32_t words[3] = {};
    std::memcpy(words, &content[position], std::min<size_t>(size, sizeof(words)));
    position += size;

    Kernel* const of_symbol = KernelOfSymbol(words[0], module);
    if (attribute == kInfoRegisterCount && of_symbol != nullptr) of_symbol->registers = words[1];
    if (attribute == kInfoFrameSize && of_symbol != nullptr) of_symbol->local_bytes = words[1];
    if (kernel == nullptr) continue;
    if (attribute == kInfoMaxThreads || attribute == kInfoRequiredThreads) {
      kernel->max_threads = std::min(1024u, words[0] * std::max(words[1], 1u) * std::max(words[2], 1u));
    } else if (attribute == kInfoClusterSize) {
      std::copy(words, words + 3, kernel->cluster);
    } else if (attribute == kInfoParameter && size >= 12) {
      const size_t ordinal = words[1] & 0xffff;
      if (kernel->parameters.size() <= ordinal) kernel->parameters.resize(ordinal + 1);
      kernel->parameters[ordinal] = {words[1] >> 16, words[2] >> 18};
    }
  }
}

void Cubin::ReadInfo(ModuleImage* module) {
  constexpr std::string_view kPrefix = ".nv.info.";
  for (const Elf64_Shdr& section : sections_) {
    const std::string_view name = Name(section);
    Kernel* kernel = nullptr;
    if (name.substr(0, kPrefix.size()) == kPrefix) {
      const auto same = [&](const Kernel& candidate) { return candidate.name == name.substr(kPrefix.size()); };
      const auto found = std::find_if(module->kernels.begin(), module->kernels.end(), same);
      if (found == module->kernels.end()) continue;
      kernel = &*found;
    } else if (name != ".nv.info") {
      continue;
    }
    ReadInfoSection(Content(section), kernel, module);
  }
}

void Cubin::ReadSharedMemory(ModuleImage* module) {
  constexpr std::string_view kPrefix = ".nv.shared.";
  const uint32_t reserved = module->architecture >= 90 ? kReservedSharedBytes : 0;
  for (const Elf64_Shdr& section : sections_) {
    const std::string_view name = Name(section);
    if (name.substr(0, kPrefix.size()) != kPrefix) continue;
    for (Kernel& kernel : module->kernels) {
      if (kernel.name != name.substr(kPrefix.size())) continue;
      kernel.static_shared_bytes =
          static_cast<uint32_t>(section.sh_size - std::min<uint64_t>(section.sh_size, reserved));
    }
  }
}

}  // namespace

bool IsElf(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof(Elf64_Ehdr) && std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0;
}

ImageError ReadCubin(std::span<const uint8_t> bytes, ModuleImage* module) {
  Cubin cubin(bytes);
  if (!cubin.Open()) return ImageError::kNotAnImage;
  module->architecture = cubin.Architecture();
  module->from_ptx = false;
  module->binary = bytes;
  cubin.ReadSymbols(module);
  cubin.ReadInfo(module);
  cubin.ReadSharedMemory(module);
  return ImageError::kNone;
}

}  // namespace simgpu::image
