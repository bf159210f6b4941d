// SPDX-License-Identifier: Apache-2.0
// The container nvcc embeds in a program: several images of the same code, some of them compressed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace simgpu::image {

constexpr uint32_t kFatBinaryMagic = 0xba55ed50;  // of a container
constexpr uint32_t kFatBinaryWrapperMagic =
    0x466243b1;  // of the structure that points to one, which programs pass around

// The container that `image`, which starts with one of these, is or points to. Empty when it points to something else.
std::span<const uint8_t> FatBinaryContainer(const uint8_t* image);

// Decompresses a block of LZ4 (the format without a frame) into exactly `bytes` bytes; nothing when it is damaged.
std::optional<std::vector<uint8_t>> DecompressLz4(std::span<const uint8_t> block, size_t bytes);

// The same for a frame of zstd.
std::optional<std::vector<uint8_t>> DecompressZstd(std::span<const uint8_t> frame, size_t bytes);

}  // namespace simgpu::image
