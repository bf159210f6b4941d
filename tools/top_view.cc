// SPDX-License-Identifier: Apache-2.0
#include "tools/top_view.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/human_units.h"

namespace migprof::tools {
namespace {

constexpr char kHelp[] =
    "q quit  sort: u SM  o occupancy  t tensor  d DRAM  m memory  p processes  n slice  r reverse  i idle  space pause";
// For windows in which the other does not fit.
constexpr char kShortHelp[] = "q quit  sort u o t d m p n  r reverse  i idle  space pause";
constexpr size_t kLeastRows = 3;

// At spaces; a word that is longer than a line is cut.
std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    start = end + 1;
    std::string& line = lines.back();
    if (!line.empty() && render::DisplayCells(line) + 1 + render::DisplayCells(word) > width) {
      lines.push_back(word);
    } else {
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
  }
  for (std::string& line : lines) line = render::CutToCells(line, width);
  return lines;
}

const char* SortName(render::TopSort sort) {
  for (const render::TopSortInfo& info : render::kTopSorts) {
    if (info.sort == sort) return info.name;
  }
  return "";
}

}  // namespace

TopView::Action TopView::Type(std::string_view keys) {
  Action action = Action::kNone;
  for (const char key : keys) {
    const Action of_key = TypeKey(key);
    if (of_key == Action::kQuit) return Action::kQuit;
    if (of_key == Action::kRedraw) action = Action::kRedraw;
  }
  return action;
}

TopView::Action TopView::TypeKey(char key) {
  if (!rest_.empty()) {
    rest_ += key;
    // "ESC [ digits letter", or "ESC O letter".
    if (rest_.size() == 2 && (key == '[' || key == 'O')) return Action::kNone;
    if (rest_.size() > 2 && rest_.size() < 8 && (absl::ascii_isdigit(static_cast<unsigned char>(key)) || key == ';')) {
      return Action::kNone;
    }
    const std::string sequence = std::exchange(rest_, "").substr(1);
    const size_t page = std::max<size_t>(page_, 1);
    if (sequence == "[A" || sequence == "OA") first_row_ -= std::min<size_t>(first_row_, 1);
    if (sequence == "[B" || sequence == "OB") first_row_ += 1;
    if (sequence == "[5~") first_row_ -= std::min(first_row_, page);
    if (sequence == "[6~") first_row_ += page;
    if (sequence == "[H" || sequence == "OH") first_row_ = 0;
    return Action::kRedraw;
  }
  if (key == '\033') {
    rest_ = key;
    return Action::kNone;
  }
  for (const render::TopSortInfo& info : render::kTopSorts) {
    if (key != info.key) continue;
    text_.sort = info.sort;
    text_.reverse = false;
    first_row_ = 0;
    return Action::kRedraw;
  }
  switch (key) {
    case 'q':
    case 'Q':
    case '\003':
      return Action::kQuit;
    case 'r':
      text_.reverse = !text_.reverse;
      return Action::kRedraw;
    case 'i':
      text_.only_used = !text_.only_used;
      return Action::kRedraw;
    case ' ':
      paused_ = !paused_;
      return Action::kRedraw;
    default:
      return Action::kNone;
  }
}

std::string TopView::Header(const mig::LiveSample& sample, uint64_t now_ns, uint64_t interval_ns) const {
  const absl::Time time = absl::FromUnixNanos(static_cast<int64_t>(sample.time_ns));
  std::string line = absl::StrCat("migprof top  ", render::CleanText(sample.host));
  if (!sample.driver_version.empty()) absl::StrAppend(&line, "  driver ", render::CleanText(sample.driver_version));
  absl::StrAppend(&line, "  ", render::CountOf(sample.slices.size(), "slice", "slices"), "  ",
                  absl::FormatTime("%H:%M:%S", time, absl::LocalTimeZone()));
  absl::StrAppend(&line, "  by ", SortName(text_.sort), text_.reverse ? " reversed" : "");
  if (paused_) absl::StrAppend(&line, "  PAUSED");
  // The driver hangs, or takes long: what is below is old.
  const uint64_t age_ns = now_ns - std::min(now_ns, sample.time_ns);
  if (!paused_ && age_ns > 2 * interval_ns + 2'000'000'000) {
    absl::StrAppend(&line, absl::StrFormat("  NO ANSWER FROM THE DRIVER FOR %d s", age_ns / 1'000'000'000));
  }
  if (!served_at_.empty()) absl::StrAppend(&line, "  http://", served_at_, "/metrics");
  return line;
}

std::vector<std::string> TopView::Draw(const mig::LiveSample* sample, uint64_t now_ns, uint64_t interval_ns,
                                       size_t width, size_t height) {
  std::vector<std::string> lines;
  if (sample == nullptr) {
    lines = {render::CutToCells("migprof top: asking the driver …", width)};
  } else {
    text_.width = width;
    const render::TopTable table = render::FormatTop(*sample, text_);
    lines.push_back(render::CutToCells(Header(*sample, now_ns, interval_ns), width));
    for (const std::string& note : table.notes) {
      for (const std::string& line : Wrap(note, width)) {
        // Notes must not push the slices out of a small window.
        if (lines.size() + kLeastRows + 2 < height) lines.push_back(line);
      }
    }
    lines.push_back(table.heading);
    const size_t room = height - std::min(height, lines.size() + 1);
    page_ = room;
    first_row_ = std::min(first_row_, table.rows.size() - std::min(table.rows.size(), room));
    const size_t end = std::min(table.rows.size(), first_row_ + room);
    lines.insert(lines.end(), table.rows.begin() + static_cast<ptrdiff_t>(first_row_),
                 table.rows.begin() + static_cast<ptrdiff_t>(end));
    std::string shown;
    if (end - first_row_ < table.rows.size()) {
      shown = absl::StrCat(first_row_ + 1, "-", end, " of ", table.rows.size(), " (arrows)  ");
    }
    if (table.hidden_rows != 0) absl::StrAppend(&shown, table.hidden_rows, " idle hidden  ");
    const char* const what = end - first_row_ < table.rows.size() ? "slices " : "";
    std::string help = absl::StrCat(what, shown, kHelp);
    if (render::DisplayCells(help) > width) help = absl::StrCat(what, shown, kShortHelp);
    if (render::DisplayCells(help) > width) help = absl::StrCat(shown, kShortHelp);
    lines.resize(std::max(lines.size(), height - std::min<size_t>(height, 1)));
    lines.push_back(render::CutToCells(help, width, text_.ascii ? "~" : "…"));
  }
  if (lines.size() > height) lines.resize(height);
  return lines;
}

}  // namespace migprof::tools
