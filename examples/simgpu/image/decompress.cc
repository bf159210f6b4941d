// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "image/fat_binary.h"

namespace simgpu::image {
namespace {

// Reads the block format of LZ4: a token with two lengths, literal bytes, and how far back to copy from.
class Lz4Reader {
 public:
  explicit Lz4Reader(std::span<const uint8_t> block) : block_(block) {}

  bool AtEnd() const { return position_ == block_.size(); }

  bool Byte(uint8_t* byte) {
    if (AtEnd()) return false;
    *byte = block_[position_++];
    return true;
  }

  // A length of 15 continues in further bytes, up to one that is not 255.
  bool Length(uint8_t nibble, size_t* length) {
    *length = nibble;
    uint8_t more = nibble == 15 ? 255 : 0;
    while (more == 255) {
      if (!Byte(&more)) return false;
      *length += more;
    }
    return true;
  }

  bool Literals(size_t length, std::vector<uint8_t>* out) {
    if (length > block_.size() - position_) return false;
    out->insert(out->end(), block_.begin() + static_cast<ptrdiff_t>(position_),
                block_.begin() + static_cast<ptrdiff_t>(position_ + length));
    position_ += length;
    return true;
  }

 private:
  const std::span<const uint8_t> block_;
  size_t position_ = 0;
};

}  // namespace

std::optional<std::vector<uint8_t>> DecompressLz4(std::span<const uint8_t> block, size_t bytes) {
  constexpr size_t kShortestMatch = 4;
  Lz4Reader reader(block);
  std::vector<uint8_t> out;
  while (!reader.AtEnd()) {
    uint8_t token, low, high;
    size_t literals, match;
    if (!reader.Byte(&token) || !reader.Length(token >> 4, &literals) || !reader.Literals(literals, &out))
      return std::nullopt;
    if (reader.AtEnd()) break;  // the last sequence has literals only
    if (!reader.Byte(&low) || !reader.Byte(&high) || !reader.Length(token & 15, &match)) return std::nullopt;
    const size_t distance = low | static_cast<size_t>(high) << 8;
    match += kShortestMatch;
    if (distance == 0 || distance > out.size() || out.size() + match > bytes) return std::nullopt;
    // Byte by byte: a match may overlap what it produces.
    for (size_t i = 0; i < match; ++i) out.push_back(out[out.size() - distance]);
  }
  if (out.size() != bytes) return std::nullopt;
  return out;
}

std::optional<std::vector<uint8_t>> DecompressZstd(std::span<const uint8_t> frame, size_t bytes) {
  std::vector<uint8_t> out(bytes);
  const size_t written = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(written) != 0 || written != bytes) return std::nullopt;
  return out;
}

}  // namespace simgpu::image
