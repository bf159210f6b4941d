// SPDX-License-Identifier: Apache-2.0
// Pieces of HTML. Texts are escaped here; classes, ids and tags are the caller's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/render/findings.h"

namespace migprof::render {

// Any bytes as text of an element or of a quoted attribute.
std::string HtmlText(std::string_view text);

// "<p class="…">text</p>"; without the class where it is empty.
std::string HtmlElement(std::string_view tag, std::string_view css_class, std::string_view text);

// <b> for what is strong, <code> for names of code.
std::string HtmlSentence(const Sentence& sentence);

// A table cell or its header: numbers stand right.
std::string HtmlRow(const std::string& header, const std::vector<std::string>& cells);

}  // namespace migprof::render
