// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/tree_encoding.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/frame_kind.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/number_encoding.h"

namespace migprof::render {
namespace {

void AppendKey(const char* key, std::string* json) {
  if (json->back() != '{') *json += ",\n";
  json->append("\"").append(key).append("\":");
}

// Appends [text, …].
template <typename Range, typename ToText>
void AppendTexts(const Range& range, ToText to_text, std::string* json) {
  *json += '[';
  for (const auto& element : range) {
    if (json->back() != '[') *json += ',';
    AppendJsonString(to_text(element), json);
  }
  *json += ']';
}

void AppendHeadline(const Headline& headline, std::string* json) {
  AppendKey("headline", json);
  *json += R"({"place":)";
  AppendTexts(
      headline.place, [](const std::string& text) { return text; }, json);
  *json += R"(,"figures":[)";
  for (const Figure& figure : headline.figures) {
    if (json->back() != '[') *json += ',';
    *json += '[';
    AppendJsonString(figure.label, json);
    *json += ',';
    AppendJsonString(figure.value, json);
    *json += ']';
  }
  *json += R"(],"verdict":)";
  AppendJsonString(headline.verdict, json);
  *json += R"(,"health":)";
  AppendJsonString(headline.health, json);
  *json += headline.loss ? R"(,"loss":true)" : R"(,"loss":false)";
  *json += headline.simulated ? R"(,"simulated":true})" : R"(,"simulated":false})";
}

// What only debug information tells. Pictures without it say nothing about it.
void AppendSources(const std::vector<analyze::Frame>& frames, std::string* json) {
  std::string inlined;
  std::string causes;
  std::string sources;
  for (size_t i = 0; i < frames.size(); ++i) {
    const std::string index = std::to_string(i);
    if (frames[i].inlined) inlined.append(inlined.empty() ? "" : ",").append(index);
    if (frames[i].kind == analyze::FrameKind::kIdle) {
      causes.append(causes.empty() ? "\"" : ",\"").append(index).append("\":");
      causes += std::to_string(static_cast<int>(ShownCause(frames[i])));
    }
    if (frames[i].source.empty()) continue;
    sources.append(sources.empty() ? "\"" : ",\"").append(index).append("\":");
    AppendJsonString(frames[i].source, &sources);
  }
  if (!inlined.empty()) {
    AppendKey("inlined", json);
    json->append("[").append(inlined).append("]");
  }
  if (!causes.empty()) {
    AppendKey("causes", json);
    json->append("{").append(causes).append("}");
  }
  if (!sources.empty()) {
    AppendKey("sources", json);
    json->append("{").append(sources).append("}");
  }
}

void AppendFrames(const std::vector<analyze::Frame>& frames, std::string* json) {
  std::string kinds;
  std::map<std::string, uint64_t> module_ids = {{"", 0}};
  std::vector<std::string> modules = {""};
  std::vector<uint64_t> module;
  for (const analyze::Frame& frame : frames) {
    kinds += static_cast<char>('a' + static_cast<int>(frame.kind));
    const auto [entry, is_new] = module_ids.try_emplace(frame.module, modules.size());
    if (is_new) modules.push_back(frame.module);
    module.push_back(entry->second);
  }
  AppendKey("kindLabels", json);
  AppendTexts(
      kKindLabels, [](const char* label) { return label; }, json);
  AppendKey("kinds", json);
  AppendJsonString(kinds, json);
  AppendKey("names", json);
  AppendTexts(
      frames, [](const analyze::Frame& frame) { return frame.name; }, json);
  AppendKey("full", json);
  *json += '{';
  for (size_t i = 0; i < frames.size(); ++i) {
    const analyze::Frame& frame = frames[i];
    if (frame.full_name == frame.name) continue;
    if (json->back() != '{') *json += ',';
    json->append("\"").append(std::to_string(i)).append("\":");
    AppendJsonString(frame.full_name, json);
  }
  *json += '}';
  AppendKey("modules", json);
  AppendTexts(
      modules, [](const std::string& text) { return text; }, json);
  AppendKey("module", json);
  *json += EncodeNumbers(module);
  AppendSources(frames, json);
}

std::string EncodeShape(const CallTree& tree) {
  std::string text;
  uint32_t bits = 0;
  int bit_count = 0;
  const auto push = [&](uint32_t bit) {
    bits |= bit << bit_count;
    if (++bit_count < 6) return;
    text += kDigits[bits];
    bits = 0;
    bit_count = 0;
  };
  uint32_t depth = 0;
  for (size_t i = 1; i < tree.nodes.size(); ++i) {
    for (; depth >= tree.nodes[i].depth; --depth) push(0);
    push(1);
    ++depth;
  }
  for (; depth > 0; --depth) push(0);
  if (bit_count != 0) text += kDigits[bits];
  return text;
}

// The frame column. Real programs have few callees per function, so most numbers are indices into
// a short list: one digit instead of two or three.
std::vector<uint64_t> FrameNumbers(const CallTree& tree, size_t frame_count) {
  std::vector<uint64_t> numbers;
  numbers.reserve(tree.nodes.size());
  std::vector<uint32_t> list_length(frame_count, 0);
  absl::flat_hash_map<uint64_t, uint32_t> index_in_list;
  for (size_t i = 1; i < tree.nodes.size(); ++i) {
    const CallNode& node = tree.nodes[i];
    const uint32_t parent_frame = tree.nodes[node.parent].frame;
    uint32_t& length = list_length[parent_frame];
    const auto [entry, is_new] = index_in_list.try_emplace(uint64_t{parent_frame} << 32 | node.frame, length);
    if (!is_new && entry->second < kShortlist) {
      numbers.push_back(entry->second);
      continue;
    }
    numbers.push_back(kShortlist + node.frame);
    if (is_new && length < kShortlist) ++length;
  }
  return numbers;
}

void AppendWeights(const CallTree& tree, std::string* json) {
  std::vector<uint64_t> ns;
  std::vector<uint64_t> count;
  std::vector<uint64_t> inner;
  size_t last_inner = 0;
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const CallNode& node = tree.nodes[i];
    if (node.end == i + 1) {
      ns.push_back(node.self_ns);
      count.push_back(node.self_count);
    } else if (node.self_ns != 0 || node.self_count != 0) {
      inner.insert(inner.end(), {i - last_inner, node.self_ns, node.self_count});
      last_inner = i;
    }
  }
  AppendKey("ns", json);
  *json += EncodeNumbers(ns);
  AppendKey("count", json);
  *json += EncodeNumbers(count);
  AppendKey("innerCount", json);
  *json += std::to_string(inner.size() / 3);
  AppendKey("inner", json);
  *json += EncodeNumbers(inner);
}

void AppendNodes(const CallTree& tree, size_t frame_count, std::string* json) {
  if (tree.view != FlamegraphView::kGpuTime) {
    AppendKey("view", json);
    AppendJsonString(ViewName(tree.view), json);
  }
  AppendKey("nodes", json);
  *json += std::to_string(tree.nodes.size());
  AppendKey("shape", json);
  json->append("\"").append(EncodeShape(tree)).append("\"");
  AppendKey("frame", json);
  *json += EncodeNumbers(FrameNumbers(tree, frame_count));
  AppendWeights(tree, json);
}

std::string Begin(const Headline& headline) {
  std::string json = "{";
  AppendKey("version", &json);
  json += std::to_string(kTreeEncodingVersion);
  AppendHeadline(headline, &json);
  return json;
}

}  // namespace

std::string EncodeTree(const CallTree& tree, const Headline& headline) {
  std::string json = Begin(headline);
  AppendFrames(tree.frames, &json);
  AppendNodes(tree, tree.frames.size(), &json);
  return json + "\n}";
}

std::string EncodeFrames(const std::vector<analyze::Frame>& frames) {
  std::string json = "{";
  AppendFrames(frames, &json);
  return json + "\n}";
}

std::string EncodeNodes(const CallTree& tree, size_t frame_count, const Headline& headline) {
  std::string json = Begin(headline);
  AppendNodes(tree, frame_count, &json);
  return json + "\n}";
}

}  // namespace migprof::render
