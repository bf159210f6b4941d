// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/static_view.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/frame_kind.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/static_layout.h"
#include "libmigprof/render/text_layout.h"

namespace migprof::render {
namespace {

constexpr int kMargin = 16;
constexpr int kRowHeight = 18;
constexpr double kTitlePixels = 8;    // narrower ones cannot be hit with a pointer
constexpr double kCellPixels = 7.25;  // of 12 px monospaced type, the widest usual fonts included
constexpr double kTitlePixelsHigh = 16;
constexpr double kLinePixelsHigh = 13;
constexpr double kLegendPixelsHigh = 12.5;

// One decimal is a tenth of a pixel: enough, and half of the file.
void AppendPixels(double value, std::string* out) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), std::round(value * 10) / 10);
  out->append(text, end.ptr);
}

// Adjacent frames need a gap to be told apart, but narrow ones have no pixel to give.
double GapAfter(double width) { return width > 4 ? 1 : width > 1 ? 0.3 : 0; }

void AppendText(const char* css_class, double x, double y, const std::string& text, std::string* out) {
  out->append("<text class=\"").append(css_class).append("\" x=\"");
  AppendPixels(x, out);
  *out += "\" y=\"";
  AppendPixels(y, out);
  out->append("\">").append(EscapeXml(text)).append("</text>\n");
}

void AppendRect(const char* css_class, double x, double y, double width, double height, std::string* out) {
  out->append("<rect class=\"").append(css_class).append("\" x=\"");
  AppendPixels(x, out);
  *out += "\" y=\"";
  AppendPixels(y, out);
  *out += "\" width=\"";
  AppendPixels(width, out);
  *out += "\" height=\"";
  AppendPixels(height, out);
  *out += '"';
}

void AppendLines(const char* css_class, double x, const std::vector<std::string>& lines, double line_height, double* y,
                 std::string* out) {
  for (const std::string& line : lines) {
    AppendText(css_class, x, *y, line, out);
    *y += line_height;
  }
}

// DescribeHealth and Title join parts; each line breaks between two of them.
std::vector<std::string> SplitParts(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(text);
  return parts;
}

// Title, figures and health; returns where the chart may begin.
int DrawHead(const Headline& headline, std::string* out) {
  const double width = kStaticWidth - 2 * kMargin;
  double title_width = width;
  if (headline.simulated) {
    constexpr int kBadge = 144;
    const double left = kStaticWidth - kMargin - kBadge;
    AppendRect("badge", left, 12, kBadge, 24, out);
    *out += " rx=\"4\"/>\n";
    AppendText("badge-text", left + kBadge / 2.0, 28.5, "SIMULATED GPU", out);
    title_width -= kBadge + kMargin;
  }
  double y = 30;
  const auto title =
      WrapParts(SplitParts(headline.Title(), " / "), " / ", title_width, kTitlePixelsHigh, /*bold=*/true);
  AppendLines("title", kMargin, title, 22, &y, out);
  std::vector<std::string> figures;
  for (const Figure& figure : headline.figures) figures.push_back(figure.label + ' ' + figure.value);
  y += 2;
  AppendLines("figures", kMargin, WrapParts(figures, "  ·  ", width, kLinePixelsHigh), 20, &y, out);
  y += 6;
  const double inset = headline.loss ? 10 : 0;
  const auto health = WrapParts(SplitParts(headline.verdict + ": " + headline.health, " · "), " · ", width - 2 * inset,
                                kLinePixelsHigh);
  if (headline.loss) {
    AppendRect("loss-back", kMargin, y - 17, width, 20 * static_cast<double>(health.size()) + 6, out);
    *out += " rx=\"4\"/>\n";
  }
  AppendLines(headline.loss ? "loss" : "health", kMargin + inset, health, 20, &y, out);
  return static_cast<int>(y);
}

void DrawFrame(const CallTree& tree, const DrawnFrame& frame, double y, std::string* out) {
  const CallNode& node = tree.nodes[frame.node];
  const analyze::Frame& info = tree.frames[node.frame];
  AppendRect(ColorClass(info).c_str(), kMargin + frame.x, y, frame.width - GapAfter(frame.width), kRowHeight - 1, out);
  if (frame.width < kTitlePixels) {
    *out += "/>\n";
    return;
  }
  out->append("><title>").append(EscapeXml(info.name)).append(" – ");
  out->append(HumanAmount(node.total_ns, tree.view)).append(" (");
  out->append(Percent(node.total_ns, tree.nodes[0].total_ns)).append(")</title></rect>\n");
  const std::string label = FitLabel(info.name, static_cast<size_t>(std::max(0.0, frame.width - 8) / kCellPixels));
  if (!label.empty()) AppendText("label", kMargin + frame.x + 4, y + 12.5, label, out);
}

// Only kinds and causes that occur; returns the bottom.
double DrawLegend(const CallTree& tree, double y, std::string* out) {
  std::array<bool, kKindLabels.size()> occurs = {};
  for (size_t i = 1; i < tree.frames.size(); ++i) {
    occurs[static_cast<size_t>(tree.frames[i].kind) % occurs.size()] = true;
  }
  double x = kMargin;
  const auto add = [&](const char* css_class, const char* label) {
    const double width = 17 + EstimateWidth(label, kLegendPixelsHigh) + 14;
    if (x + width > kStaticWidth) {
      x = kMargin;
      y += 20;
    }
    AppendRect(css_class, x, y + 6, 12, 12, out);
    *out += " rx=\"2\"/>\n";
    AppendText("note", x + 17, y + 16.5, label, out);
    x += width;
  };
  for (size_t kind = 0; kind < occurs.size(); ++kind) {
    if (!occurs[kind] || kind == static_cast<size_t>(analyze::FrameKind::kIdle)) continue;
    const char css_class[] = {'k', static_cast<char>('a' + kind), '1', '\0'};
    add(css_class, kKindLabels[kind]);
  }
  std::array<bool, analyze::kIdleCauses> causes = {};
  for (const analyze::Frame& frame : tree.frames) {
    if (frame.kind == analyze::FrameKind::kIdle) causes[static_cast<size_t>(ShownCause(frame))] = true;
  }
  for (size_t cause = 0; cause < causes.size(); ++cause) {
    const char css_class[] = {'k', 'n', static_cast<char>('0' + cause), '\0'};
    if (causes[cause]) add(css_class, CauseLabel(static_cast<analyze::IdleCause>(cause)));
  }
  return y + 26;
}

// One element for all of them.
void DrawCrumbs(const StaticLayout& layout, int bottom, std::string* out) {
  if (layout.crumbs.empty()) return;
  *out += "<path class=\"crumbs\" d=\"";
  for (const Crumb& crumb : layout.crumbs) {
    *out += 'M';
    AppendPixels(kMargin + crumb.x, out);
    out->append(" ").append(std::to_string(bottom - (static_cast<int>(crumb.depth) + 1) * kRowHeight)).append("h");
    AppendPixels(crumb.width - GapAfter(crumb.width), out);
    out->append("v17h-");
    AppendPixels(crumb.width - GapAfter(crumb.width), out);
    *out += 'z';
  }
  *out += "\"/>\n";
}

}  // namespace

StaticView DrawStaticView(const CallTree& tree, const Headline& headline, size_t max_rects) {
  const StaticLayout layout = LayOutStatic(tree, kStaticWidth - 2 * kMargin, max_rects);
  std::string elements;
  const int top = DrawHead(headline, &elements);
  const int bottom = top + static_cast<int>(layout.rows) * kRowHeight;
  DrawCrumbs(layout, bottom, &elements);
  for (const DrawnFrame& frame : layout.frames) {
    const int row = static_cast<int>(tree.nodes[frame.node].depth) + 1;
    DrawFrame(tree, frame, bottom - row * kRowHeight, &elements);
  }
  const double y = DrawLegend(tree, bottom + 6, &elements);
  std::string hint = CountOf(layout.hidden, "frame is", "frames are") + " too narrow to draw here (grey)";
  if (layout.hidden == 0) hint = "Every frame is drawn";
  hint += ". Opened in a browser with scripts, this file zooms, searches and explains itself (press ?).";
  if (tree.nodes[0].total_ns == 0) hint = NothingInView(tree.view);
  AppendText("note", kMargin, y + 14, hint, &elements);
  return {std::move(elements), static_cast<int>(y) + 26};
}

}  // namespace migprof::render
