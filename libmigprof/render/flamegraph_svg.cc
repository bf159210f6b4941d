// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/flamegraph_svg.h"

#include <string>
#include <utility>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/static_view.h"
#include "libmigprof/render/tree_encoding.h"
#include "libmigprof/render/viewer_assets.h"

namespace migprof::render {
namespace {

// An SVG file has no place for a content security policy. What it can do, it does: no reference to
// another resource, no event attribute, no eval, and names only ever become text nodes.
std::string OpeningTag(int height, FlamegraphView view) {
  const std::string width_text = std::to_string(kStaticWidth);
  const std::string height_text = std::to_string(height);
  const std::string css_class = view == FlamegraphView::kIdle ? "migprof mp-idle" : "migprof";
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"" + css_class +
         "\" role=\"img\" aria-labelledby=\"migprof-title\" width=\"" + width_text + "\" height=\"" + height_text +
         "\" viewBox=\"0 0 " + width_text + ' ' + height_text + "\">\n";
}

std::string Cdata(std::string_view text) { return std::string("<![CDATA[\n").append(text).append("\n]]>"); }

}  // namespace

void WriteFlamegraphSvg(CallTree tree, const Headline& headline, const FlamegraphOptions& options, std::ostream& out) {
  tree = LimitNodes(std::move(tree), options.max_nodes);
  const StaticView view = DrawStaticView(tree, headline, options.max_static_rects);
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      << OpeningTag(view.height, tree.view) << "<title id=\"migprof-title\">" << EscapeXml(headline.Title())
      << (headline.simulated ? " (simulated GPU)" : "") << "</title>\n"
      << "<style>" << Cdata(kPaletteStyle) << "</style>\n"
      << "<style>" << Cdata(kStaticStyle) << "</style>\n"
      << "<g class=\"mp-static\">\n"
      << "<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n"
      << view.elements << "</g>\n"
      << "<style>" << Cdata(kViewerStyle) << "</style>\n"
      << "<metadata class=\"mp-data\">" << Cdata(EncodeTree(tree, headline)) << "</metadata>\n"
      << "<script>" << Cdata(kViewerScript) << "</script>\n"
      << "<script>" << Cdata(kSvgShellScript) << "</script>\n"
      << "</svg>\n";
}

void WriteFlamegraphSvg(const analyze::Profile& profile, std::optional<size_t> slice, std::ostream& out,
                        FlamegraphView view) {
  WriteFlamegraphSvg(BuildCallTree(profile, slice, view), MakeHeadline(profile, slice, view), {}, out);
}

}  // namespace migprof::render
