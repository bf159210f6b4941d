// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/tree_encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "libmigprof/render/frame_kind.h"
#include "tests/unit/render/encoding_reader.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

struct Decoded {
  std::vector<uint32_t> parent = {0};
  std::vector<uint64_t> frame = {0};
  std::map<size_t, std::pair<uint64_t, uint64_t>> weights;  // by node: ns, count
};

Decoded Decode(const nlohmann::json& json) {
  Decoded tree;
  const std::string shape = json["shape"];
  const size_t count = json["nodes"];
  std::vector<bool> has_child(count, false);
  uint32_t open = 0;
  for (const char c : shape) {
    for (size_t bits = kDigits.find(c), i = 0; i < 6; ++i) {
      if ((bits >> i & 1) != 0) {
        tree.parent.push_back(open);
        has_child[open] = true;
        open = static_cast<uint32_t>(tree.parent.size() - 1);
      } else {
        open = tree.parent[open];
      }
    }
  }
  std::map<uint64_t, std::vector<uint64_t>> lists;
  const std::vector<uint64_t> frames = DecodeNumbers(json["frame"]);
  for (size_t i = 1; i < count; ++i) {
    std::vector<uint64_t>& list = lists[tree.frame[tree.parent[i]]];
    const uint64_t number = frames.at(i - 1);
    tree.frame.push_back(number < kShortlist ? list.at(number) : number - kShortlist);
    if (number >= kShortlist && list.size() < kShortlist) list.push_back(tree.frame.back());
  }
  const std::vector<uint64_t> ns = DecodeNumbers(json["ns"]);
  const std::vector<uint64_t> counts = DecodeNumbers(json["count"]);
  for (size_t i = 0, leaf = 0; i < count; ++i) {
    if (has_child[i]) continue;
    tree.weights[i] = {ns.at(leaf), counts.at(leaf)};
    ++leaf;
  }
  const std::vector<uint64_t> inner = DecodeNumbers(json["inner"]);
  EXPECT_EQ(inner.size(), 3 * json["innerCount"].get<size_t>());
  for (size_t i = 0, node = 0; i < inner.size(); i += 3) {
    node += inner[i];
    tree.weights[node] = {inner[i + 1], inner[i + 2]};
  }
  return tree;
}

void ExpectRoundTrip(const CallTree& tree) {
  const std::string text = EncodeTree(tree, {});
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(text);
  const Decoded decoded = Decode(json);
  ASSERT_EQ(decoded.parent.size(), tree.nodes.size());
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const CallNode& node = tree.nodes[i];
    ASSERT_EQ(decoded.parent[i], node.parent) << i;
    ASSERT_EQ(decoded.frame[i], node.frame) << i;
    const auto weight = decoded.weights.find(i);
    const bool has_weight = weight != decoded.weights.end();
    ASSERT_EQ(has_weight ? weight->second.first : 0, node.self_ns) << i;
    ASSERT_EQ(has_weight ? weight->second.second : 0, node.self_count) << i;
  }
  const std::vector<uint64_t> module = DecodeNumbers(json["module"]);
  for (size_t i = 0; i < tree.frames.size(); ++i) {
    const std::string index = std::to_string(i);
    const std::string name = json["names"][i];
    EXPECT_EQ(name, tree.frames[i].name);
    EXPECT_EQ(json["full"].contains(index) ? json["full"][index].get<std::string>() : name, tree.frames[i].full_name);
    EXPECT_EQ(json["modules"][module.at(i)].get<std::string>(), tree.frames[i].module);
    EXPECT_EQ(json["kinds"].get<std::string>().at(i), 'a' + static_cast<int>(tree.frames[i].kind));
  }
}

TEST(EncodeTree, SourcesAndInlinedFunctions_AreToldWhereKnown) {
  const CallTree tree = BuildCallTree(SourcesProfile());
  const nlohmann::json json = nlohmann::json::parse(EncodeTree(tree, {}));
  for (size_t i = 0; i < tree.frames.size(); ++i) {
    const nlohmann::json& inlined = json["inlined"];
    EXPECT_EQ(std::count(inlined.begin(), inlined.end(), i), tree.frames[i].inlined ? 1 : 0) << i;
    EXPECT_EQ(json["sources"].value(std::to_string(i), ""), tree.frames[i].source) << i;
  }
  EXPECT_EQ(json["inlined"].size(), 1u);
  EXPECT_EQ(json["sources"].size(), 3u);
  const nlohmann::json plain = nlohmann::json::parse(EncodeTree(BuildCallTree(SampleProfile()), {}));
  EXPECT_FALSE(plain.contains("sources") || plain.contains("inlined"));
}

TEST(EncodeTree, Trees_ComeBack) {
  ExpectRoundTrip(BuildCallTree(analyze::Profile()));
  ExpectRoundTrip(BuildCallTree(SampleProfile()));
  ExpectRoundTrip(BuildCallTree(HostileProfile()));
  ExpectRoundTrip(BuildCallTree(LargeProfile(3000, 30, CallGraph::kSparse)));
  ExpectRoundTrip(BuildCallTree(LargeProfile(3000, 30, CallGraph::kRandom)));
}

TEST(EncodeTree, TimeAtInnerNodes_ComesBack) {
  CallTree tree = BuildCallTree(SampleProfile());
  for (size_t i = 0; i < tree.nodes.size(); i += 3) {
    tree.nodes[i].self_ns = 1 + i;
    tree.nodes[i].self_count = i % 2;
  }
  ExpectRoundTrip(tree);
}

TEST(EncodeTree, MoreCalleesThanTheShortlistHolds_ComeBack) {
  analyze::Profile profile;
  analyze::SliceProfile slice;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) {
      analyze::Frame parent;
      parent.name = "same";
      parent.module = std::to_string(round);
      analyze::Frame child;
      child.name = child.full_name = "callee " + std::to_string(i);
      const auto above = slice.stacks.Child(0, profile.frames.Intern(parent));
      slice.stacks.Add(slice.stacks.Child(above, profile.frames.Intern(child)), 7, 1);
    }
  }
  profile.slices.push_back(std::move(slice));
  ExpectRoundTrip(BuildCallTree(profile));
}

TEST(EncodeTree, Headline_IsWhole) {
  const Headline headline = MakeHeadline(SampleProfile());
  const nlohmann::json json = nlohmann::json::parse(EncodeTree(BuildCallTree(SampleProfile()), headline));
  EXPECT_EQ(json["headline"]["place"][0], "3 hosts");
  EXPECT_EQ(json["headline"]["figures"][0][0], "GPU time");
  EXPECT_EQ(json["headline"]["health"], headline.health);
  EXPECT_EQ(json["headline"]["loss"], true);
  EXPECT_EQ(json["headline"]["simulated"], true);
  EXPECT_EQ(json["kindLabels"].size(), kKindLabels.size());
}

TEST(EncodeTree, HalfAMillionNodes_StayWithinTheirBudget) {
  const CallTree tree = BuildCallTree(LargeProfile(200'000, 40, CallGraph::kSparse));
  EXPECT_GT(tree.nodes.size(), 547'000u);
  EXPECT_LT(EncodeTree(tree, {}).size(), 2'400'000u);
}

}  // namespace
}  // namespace migprof::render
