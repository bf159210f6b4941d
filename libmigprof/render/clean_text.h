// SPDX-License-Identifier: Apache-2.0
// Names come from binaries, interpreters and damaged files: any byte may be in them. Everything a
// renderer prints goes through here first. Nothing here throws, apart from running out of memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace migprof::render {

// `text` as valid UTF-8 without control characters, line separators and characters that reorder
// the text around them (they could make one name look like another): each becomes U+FFFD.
std::string CleanText(std::string_view text);

// Clean text for XML text and attribute values.
std::string EscapeXml(std::string_view clean_text);

// Appends clean text as a quoted JSON string. `<`, `>` and `&` are escaped too, so that the JSON
// may stand in a CDATA section or an HTML script element.
void AppendJsonString(std::string_view clean_text, std::string* out);

// How many cells of a monospaced font the clean text takes: 0 for combining marks, 2 for East Asian
// wide characters and emoji, 1 for the rest.
size_t DisplayCells(std::string_view clean_text);

// The clean text cut to at most `cells`, its cut end marked by `ellipsis` (of one cell).
std::string CutToCells(std::string_view clean_text, size_t cells, std::string_view ellipsis = "…");

// As CutToCells, but keeps both ends: what tells ids apart is often last.
std::string CutMiddle(std::string_view clean_text, size_t cells, std::string_view ellipsis = "…");

}  // namespace migprof::render
