// SPDX-License-Identifier: Apache-2.0
// Setting lines of proportional type without a font at hand: for the static view, which must fit on every machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace migprof::render {

// About how wide the clean text is in a sans-serif font of this size; rather too wide than too narrow (the widths
// are those of DejaVu Sans, the widest of the common ones).
double EstimateWidth(std::string_view clean_text, double font_pixels, bool bold = false);

// `parts` joined by `separator` into lines of at most `width`; a line breaks after a separator. A part that is wider
// than a line is cut.
std::vector<std::string> WrapParts(const std::vector<std::string>& parts, const std::string& separator, double width,
                                   double font_pixels, bool bold = false);

}  // namespace migprof::render
