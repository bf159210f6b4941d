// SPDX-License-Identifier: Apache-2.0
#include "image/fat_binary.h"

#include <algorithm>
#include <cstring>

#include "image/module_image.h"

namespace simgpu::image {
namespace {

struct Wrapper {
  uint32_t magic;
  uint32_t version;
  const uint8_t* container;
  const void* more;
};

struct ContainerHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t bytes;  // of the members
};

enum MemberKind : uint16_t { kMemberPtx = 1, kMemberCubin = 2 };
enum MemberFlag : uint64_t { kMemberLz4 = 0x2000, kMemberZstd = 0x8000 };

struct MemberHeader {
  uint16_t kind;
  uint16_t version;
  uint32_t header_bytes;
  uint64_t padded_bytes;      // of the payload, up to the next member
  uint32_t compressed_bytes;  // without the padding; 0 when it is not compressed
  uint32_t options_offset;
  uint32_t code_version;
  uint32_t architecture;
  uint64_t reserved0;
  uint64_t flags;
  uint64_t reserved1;
  uint64_t uncompressed_bytes;
};
static_assert(sizeof(MemberHeader) == 64);

struct Member {
  MemberHeader header;
  std::span<const uint8_t> payload;
};

std::vector<Member> Members(std::span<const uint8_t> container) {
  std::vector<Member> members;
  ContainerHeader header;
  std::memcpy(&header, container.data(), sizeof(header));
  size_t position = header.header_bytes;
  while (container.size() - position >= sizeof(MemberHeader)) {
    Member member;
    std::memcpy(&member.header, container.data() + position, sizeof(MemberHeader));
    const uint64_t room = container.size() - position;
    if (member.header.header_bytes < sizeof(MemberHeader) || member.header.header_bytes > room ||
        member.header.padded_bytes > room - member.header.header_bytes) {
      break;
    }
    position += member.header.header_bytes;
    member.payload = container.subspan(position, member.header.padded_bytes);
    position += member.header.padded_bytes;
    members.push_back(member);
  }
  return members;
}

// Better ones are greater; 0 for code the device cannot run.
uint32_t Suitability(const Member& member, uint32_t capability) {
  const uint32_t architecture = member.header.architecture;
  if (member.header.kind == kMemberCubin && CubinRunsOn(architecture, capability)) return 1000 + architecture;
  if (member.header.kind == kMemberPtx && PtxRunsOn(architecture, capability)) return architecture;
  return 0;
}

// Puts the plain payload into `module->storage` if it is compressed. False when it is damaged.
bool Unpack(const Member& member, ModuleImage* module, std::span<const uint8_t>* plain) {
  *plain = member.payload;
  const uint64_t compression = member.header.flags & (kMemberLz4 | kMemberZstd);
  if (compression == 0) return true;
  const auto packed = member.payload.first(std::min<size_t>(member.header.compressed_bytes, member.payload.size()));
  const size_t bytes = member.header.uncompressed_bytes;
  auto unpacked = compression == kMemberZstd ? DecompressZstd(packed, bytes) : DecompressLz4(packed, bytes);
  if (!unpacked) return false;
  module->storage = std::move(*unpacked);
  *plain = module->storage;
  return true;
}

}  // namespace

std::span<const uint8_t> FatBinaryContainer(const uint8_t* image) {
  Wrapper wrapper;
  std::memcpy(&wrapper, image, sizeof(uint32_t));
  if (wrapper.magic == kFatBinaryWrapperMagic) {
    std::memcpy(&wrapper, image, sizeof(wrapper));
    image = wrapper.container;
  }
  ContainerHeader header;
  std::memcpy(&header, image, sizeof(uint32_t));
  if (header.magic != kFatBinaryMagic) return {};
  std::memcpy(&header, image, sizeof(header));
  return {image, header.header_bytes + header.bytes};
}

ImageError ReadFatBinary(std::span<const uint8_t> container, uint32_t capability, ModuleImage* module) {
  if (container.size() < sizeof(ContainerHeader)) return ImageError::kNotAnImage;
  const std::vector<Member> members = Members(container);
  const auto best = std::max_element(members.begin(), members.end(), [&](const Member& a, const Member& b) {
    return Suitability(a, capability) < Suitability(b, capability);
  });
  if (best == members.end() || Suitability(*best, capability) == 0) return ImageError::kNothingForGpu;
  std::span<const uint8_t> plain;
  if (!Unpack(*best, module, &plain)) return ImageError::kDamaged;
  return best->header.kind == kMemberCubin ? ReadCubin(plain, module) : ReadPtx(plain, module);
}

}  // namespace simgpu::image
