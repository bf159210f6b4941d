// SPDX-License-Identifier: Apache-2.0
#include "image/module_image.h"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "image/fat_binary.h"

namespace simgpu::image {
namespace {

// Longest text that is searched for the end of a PTX image.
constexpr size_t kMaxPtxBytes = size_t{256} << 20;

// A cubin is as long as the furthest thing its headers point to.
size_t ElfBytes(const uint8_t* image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof(header));
  uint64_t end = sizeof(header);
  end = std::max<uint64_t>(end, header.e_phoff + uint64_t{header.e_phnum} * header.e_phentsize);
  end = std::max<uint64_t>(end, header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize);
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return end;
  for (uint32_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, image + header.e_shoff + i * sizeof(section), sizeof(section));
    if (section.sh_type != SHT_NOBITS) end = std::max<uint64_t>(end, section.sh_offset + section.sh_size);
  }
  return end;
}

// Compares no further than the first difference: a text may end before a magic number does.
bool StartsWith(const uint8_t* image, const void* magic, size_t length) {
  const auto* const expected = static_cast<const uint8_t*>(magic);
  for (size_t i = 0; i < length; ++i) {
    if (image[i] != expected[i]) return false;
  }
  return true;
}

bool IsFatBinary(const uint8_t* image) {
  return StartsWith(image, &kFatBinaryWrapperMagic, sizeof(kFatBinaryWrapperMagic)) ||
         StartsWith(image, &kFatBinaryMagic, sizeof(kFatBinaryMagic));
}

bool LooksLikeText(const uint8_t* image) {
  return *image != 0 && (std::isprint(*image) != 0 || std::isspace(*image) != 0);
}

ImageError ReadText(const uint8_t* image, uint32_t capability, ModuleImage* module) {
  const size_t length = strnlen(reinterpret_cast<const char*>(image), kMaxPtxBytes);
  const ImageError error = ReadPtx({image, length}, module);
  if (error != ImageError::kNone) return error;
  return PtxRunsOn(module->architecture, capability) ? ImageError::kNone : ImageError::kNothingForGpu;
}

}  // namespace

bool CubinRunsOn(uint32_t architecture, uint32_t capability) {
  return architecture / 10 == capability / 10 && architecture % 10 <= capability % 10;
}

bool PtxRunsOn(uint32_t architecture, uint32_t capability) { return architecture <= capability; }

ImageError ReadModuleImage(const void* image, uint32_t capability, ModuleImage* module) {
  const auto* bytes = static_cast<const uint8_t*>(image);
  if (StartsWith(bytes, ELFMAG, SELFMAG)) {
    const ImageError error = ReadCubin({bytes, ElfBytes(bytes)}, module);
    if (error != ImageError::kNone) return error;
    return CubinRunsOn(module->architecture, capability) ? ImageError::kNone : ImageError::kNothingForGpu;
  }
  if (IsFatBinary(bytes)) return ReadFatBinary(FatBinaryContainer(bytes), capability, module);
  return LooksLikeText(bytes) ? ReadText(bytes, capability, module) : ImageError::kNotAnImage;
}

}  // namespace simgpu::image
