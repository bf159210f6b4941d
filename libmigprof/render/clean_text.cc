// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/clean_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace migprof::render {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Decoded {
  char32_t code = kInvalid;
  size_t bytes = 1;
};

// The first character of non-empty `text`. Of an ill-formed sequence, the bytes that one U+FFFD
// should stand for (the "maximal subpart" of the Unicode standard, chapter 3.9).
Decoded DecodeFirst(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0) return {};
  // Bounds of the second byte rule out overlong forms, surrogates and what is past U+10FFFF.
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  char32_t code = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size() || byte(i) < low || byte(i) > high) return {kInvalid, i};
    code = code << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code, length};
}

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool IsIn(const Range (&ranges)[N], char32_t code) {
  const Range* after = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                        [](char32_t c, const Range& r) { return c < r.first; });
  return after != std::begin(ranges) && code <= std::prev(after)->last;
}

// Control characters, line separators, bidirectional controls, the byte order mark, noncharacters
// that XML forbids.
constexpr Range kUnprintable[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200E, 0x200F},
                                  {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}, {0xFFFE, 0xFFFF}};

// Coarse: enough for a table to stay aligned, not a full implementation of UAX #11.
constexpr Range kZeroWide[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
                               {0x064B, 0x065F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},
                               {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};
constexpr Range kDoubleWide[] = {{0x1100, 0x115F},  {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
                                 {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                                 {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
                                 {0x20000, 0x3FFFD}};

size_t CellsOf(char32_t code) {
  if (code < 0x300) return 1;
  if (IsIn(kZeroWide, code)) return 0;
  return IsIn(kDoubleWide, code) ? 2 : 1;
}

bool IsPlainAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// How many bytes of the beginning fit into `cells`.
size_t BytesOfHead(std::string_view text, size_t cells) {
  size_t used = 0;
  size_t at = 0;
  while (at < text.size()) {
    const Decoded next = DecodeFirst(text.substr(at));
    used += CellsOf(next.code);
    if (used > cells) break;
    at += next.bytes;
  }
  return at;
}

}  // namespace

std::string CleanText(std::string_view text) {
  if (IsPlainAscii(text)) return std::string(text);
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = DecodeFirst(text);
    if (next.code == kInvalid || IsIn(kUnprintable, next.code)) {
      clean += kReplacement;
    } else {
      clean += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return clean;
}

std::string EscapeXml(std::string_view clean_text) {
  std::string escaped;
  escaped.reserve(clean_text.size());
  for (const char c : clean_text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

void AppendJsonString(std::string_view clean_text, std::string* out) {
  *out += '"';
  for (const char c : clean_text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '<':
        *out += "\\u003c";
        break;
      case '>':
        *out += "\\u003e";
        break;
      case '&':
        *out += "\\u0026";
        break;
      default:
        *out += c;
    }
  }
  *out += '"';
}

size_t DisplayCells(std::string_view clean_text) {
  if (IsPlainAscii(clean_text)) return clean_text.size();
  size_t cells = 0;
  while (!clean_text.empty()) {
    const Decoded next = DecodeFirst(clean_text);
    cells += CellsOf(next.code);
    clean_text.remove_prefix(next.bytes);
  }
  return cells;
}

std::string CutToCells(std::string_view clean_text, size_t cells, std::string_view ellipsis) {
  if (DisplayCells(clean_text) <= cells) return std::string(clean_text);
  if (cells == 0) return "";
  std::string cut(clean_text.substr(0, BytesOfHead(clean_text, cells - 1)));
  return cut.append(ellipsis);
}

std::string CutMiddle(std::string_view clean_text, size_t cells, std::string_view ellipsis) {
  const size_t all = DisplayCells(clean_text);
  if (all <= cells) return std::string(clean_text);
  if (cells < 3) return CutToCells(clean_text, cells, ellipsis);
  const size_t tail_cells = (cells - 1) / 2;
  size_t tail = BytesOfHead(clean_text, all - tail_cells);
  // A wide character across the border: the tail begins after it, so that the whole still fits.
  if (DisplayCells(clean_text.substr(tail)) > tail_cells) {
    tail += DecodeFirst(clean_text.substr(tail)).bytes;
  }
  std::string cut(clean_text.substr(0, BytesOfHead(clean_text, cells - 1 - tail_cells)));
  return cut.append(ellipsis).append(clean_text.substr(tail));
}

}  // namespace migprof::render
