// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/html_text.h"

#include "libmigprof/render/clean_text.h"

namespace migprof::render {

std::string HtmlText(std::string_view text) { return EscapeXml(CleanText(text)); }

std::string HtmlElement(std::string_view tag, std::string_view css_class, std::string_view text) {
  std::string html = "<";
  html.append(tag);
  if (!css_class.empty()) html.append(" class=\"").append(css_class).append("\"");
  return html.append(">").append(HtmlText(text)).append("</").append(tag).append(">");
}

std::string HtmlSentence(const Sentence& sentence) {
  std::string html;
  for (const Words& words : sentence) {
    if (words.style == Words::Style::kStrong) {
      html += HtmlElement("b", "", words.text);
    } else if (words.style == Words::Style::kCode) {
      html += HtmlElement("code", "", words.text);
    } else {
      html += HtmlText(words.text);
    }
  }
  return html;
}

std::string HtmlRow(const std::string& header, const std::vector<std::string>& cells) {
  std::string html = "<tr><th scope=\"row\">" + header + "</th>";
  for (const std::string& cell : cells) html += "<td>" + cell + "</td>";
  return html + "</tr>\n";
}

}  // namespace migprof::render
