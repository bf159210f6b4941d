// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/text_layout.h"

#include <cstddef>

#include "libmigprof/render/clean_text.h"

namespace migprof::render {
namespace {

// In ems.
double WidthOf(char c) {
  if (std::string_view("ijl.,:;|!' ").find(c) != std::string_view::npos) return 0.32;
  if (std::string_view("frt()[]{}-\"/").find(c) != std::string_view::npos) return 0.40;
  if (std::string_view("mwMW@%").find(c) != std::string_view::npos) return 0.97;
  if (c >= 'A' && c <= 'Z') return 0.72;
  return 0.62;
}

}  // namespace

double EstimateWidth(std::string_view clean_text, double font_pixels, bool bold) {
  double ems = 0;
  std::string rest;
  for (const char c : clean_text) {
    if (c >= 0x20 && c < 0x7F) {
      ems += WidthOf(c);
    } else {
      rest += c;
    }
  }
  ems += 0.7 * static_cast<double>(DisplayCells(rest));
  return ems * font_pixels * (bold ? 1.13 : 1);
}

std::vector<std::string> WrapParts(const std::vector<std::string>& parts, const std::string& separator, double width,
                                   double font_pixels, bool bold) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::string part = parts[i];
    const double part_width = EstimateWidth(part, font_pixels, bold);
    if (part_width > width) {
      const double share = width / part_width;
      part = CutMiddle(part, static_cast<size_t>(share * static_cast<double>(DisplayCells(part))));
    }
    const std::string with_separator = i + 1 < parts.size() ? part + separator : part;
    if (!line.empty() && EstimateWidth(line + part, font_pixels, bold) > width) {
      lines.push_back(line);
      line.clear();
    }
    line += with_separator;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace migprof::render
