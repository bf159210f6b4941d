// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include <cstddef>

namespace simgpu {
namespace {

constexpr size_t kTextLength = 36;

bool IsDashPosition(size_t position) { return position == 8 || position == 13 || position == 18 || position == 23; }

std::optional<uint8_t> HexDigit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return std::nullopt;
}

}  // namespace

std::string FormatUuid(std::string_view prefix, const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(prefix);
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4];
    text += kDigits[uuid[i] & 15];
  }
  return text;
}

std::optional<Uuid> ParseUuid(std::string_view prefix, std::string_view text) {
  if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text.size() != kTextLength) return std::nullopt;
  Uuid uuid{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDashPosition(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const std::optional<uint8_t> digit = HexDigit(text[i]);
    if (!digit) return std::nullopt;
    uuid[digits / 2] = static_cast<uint8_t>(uuid[digits / 2] << 4 | *digit);
    ++digits;
  }
  return uuid;
}

}  // namespace simgpu
