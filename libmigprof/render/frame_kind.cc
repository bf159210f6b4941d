// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/frame_kind.h"

#include <cstdint>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/idle_cause.h"

namespace migprof::render {
namespace {

constexpr size_t kFewestCells = 3;  // "a…" tells nobody anything

// `name` without what stands in <> and (); as it is when they do not match, as in "operator<".
std::string WithoutArguments(const std::string& name) {
  std::string bare;
  int depth = 0;
  for (const char c : name) {
    if (c == '<' || c == '(') ++depth;
    if (depth == 0) bare += c;
    if (c == '>' || c == ')') --depth;
    if (depth < 0) return name;
  }
  if (depth != 0) return name;
  while (!bare.empty() && bare.back() == ' ') bare.pop_back();
  return bare.empty() ? name : bare;
}

}  // namespace

std::string ColorClass(const analyze::Frame& frame) {
  if (frame.kind == analyze::FrameKind::kIdle) {
    return {'k', 'n', static_cast<char>('0' + static_cast<int>(ShownCause(frame)))};
  }
  uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : frame.full_name) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  }
  const char kind = static_cast<char>('a' + static_cast<int>(frame.kind));
  // The low bits of FNV-1a depend on little more than the last letters.
  const char shade = static_cast<char>('0' + ((hash ^ hash >> 15) & 3));
  return {'k', kind, shade};
}

std::string FitLabel(const std::string& name, size_t cells) {
  if (cells < kFewestCells) return "";
  if (DisplayCells(name) <= cells) return name;
  std::string bare = WithoutArguments(name);
  while (DisplayCells(bare) > cells) {
    const size_t colons = bare.find("::");
    if (colons == std::string::npos || colons + 2 == bare.size()) return CutToCells(bare, cells);
    bare.erase(0, colons + 2);
  }
  return bare;
}

}  // namespace migprof::render
