// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/uuid.h"

#include <charconv>

namespace migprof::mig {
namespace {

constexpr bool IsDashPosition(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

bool ParseNumber(std::string_view text, uint32_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string FormatUuid(const UuidBytes& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (const uint8_t byte : bytes) {
    if (IsDashPosition(text.size())) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<UuidBytes> ParseUuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  UuidBytes bytes{};
  size_t nibble = 0;
  for (size_t position = 0; position < text.size(); ++position) {
    const char c = text[position];
    if (IsDashPosition(position)) {
      if (c != '-') return std::nullopt;
      continue;
    }
    uint8_t value;
    if (c >= '0' && c <= '9') {
      value = c - '0';
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      value = (c | 0x20) - 'a' + 10;
    } else {
      return std::nullopt;
    }
    bytes[nibble / 2] = static_cast<uint8_t>(bytes[nibble / 2] << 4 | value);
    ++nibble;
  }
  return bytes;
}

std::optional<LegacyMigUuid> ParseLegacyMigUuid(std::string_view text) {
  constexpr std::string_view kPrefix = "MIG-GPU-";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  if (text.size() < 36 || !ParseUuid(text.substr(0, 36))) return std::nullopt;
  LegacyMigUuid result{
      .gpu_uuid = "GPU-" + std::string(text.substr(0, 36)), .gpu_instance_id = 0, .compute_instance_id = 0};
  text.remove_prefix(36);
  if (!text.starts_with('/')) return std::nullopt;
  text.remove_prefix(1);
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  if (!ParseNumber(text.substr(0, slash), &result.gpu_instance_id)) return std::nullopt;
  if (!ParseNumber(text.substr(slash + 1), &result.compute_instance_id)) return std::nullopt;
  return result;
}

}  // namespace migprof::mig
