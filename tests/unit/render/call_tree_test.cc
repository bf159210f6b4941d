// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/call_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::ElementsAre;

analyze::FrameId InternName(analyze::Profile* profile, const std::string& name) {
  analyze::Frame frame;
  frame.name = frame.full_name = name;
  return profile->frames.Intern(frame);
}

// "depth name total/self count" per node.
std::vector<std::string> Lines(const CallTree& tree) {
  std::vector<std::string> lines;
  for (const CallNode& node : tree.nodes) {
    lines.push_back(std::to_string(node.depth) + ' ' + tree.frames[node.frame].name + ' ' +
                    std::to_string(node.total_ns) + '/' + std::to_string(node.self_ns) + ' ' +
                    std::to_string(node.total_count));
  }
  return lines;
}

void ExpectSound(const CallTree& tree) {
  ASSERT_FALSE(tree.nodes.empty());
  uint64_t self_ns = 0;
  for (uint32_t i = 0; i < tree.nodes.size(); ++i) {
    const CallNode& node = tree.nodes[i];
    self_ns += node.self_ns;
    ASSERT_LT(node.frame, tree.frames.size());
    ASSERT_GT(node.end, i);
    ASSERT_LE(node.end, tree.nodes.size());
    uint64_t total_ns = node.self_ns;
    uint64_t total_count = node.self_count;
    for (uint32_t child = i + 1; child < node.end; child = tree.nodes[child].end) {
      ASSERT_EQ(tree.nodes[child].parent, i);
      ASSERT_EQ(tree.nodes[child].depth, node.depth + 1);
      total_ns += tree.nodes[child].total_ns;
      total_count += tree.nodes[child].total_count;
    }
    ASSERT_EQ(node.total_ns, total_ns);
    ASSERT_EQ(node.total_count, total_count);
  }
  EXPECT_EQ(tree.nodes[0].total_ns, self_ns);
}

TEST(BuildCallTree, NoSlices_GiveARoot) {
  const CallTree tree = BuildCallTree(analyze::Profile());
  EXPECT_THAT(Lines(tree), ElementsAre("0 all 0/0 0"));
  ExpectSound(tree);
}

TEST(BuildCallTree, SiblingsAreSortedByName_AndTotalsAddUp) {
  analyze::Profile profile;
  analyze::SliceProfile slice;
  slice.host = "h";
  slice.identity.gpu_name = "g";
  const auto zebra = slice.stacks.Child(0, InternName(&profile, "zebra"));
  const auto apple = slice.stacks.Child(0, InternName(&profile, "apple"));
  slice.stacks.Add(slice.stacks.Child(zebra, InternName(&profile, "leaf")), 5, 1);
  slice.stacks.Add(zebra, 2, 3);
  slice.stacks.Add(apple, 10, 2);
  profile.slices.push_back(std::move(slice));
  const CallTree tree = BuildCallTree(profile, 0);
  EXPECT_THAT(Lines(tree), ElementsAre("0 all 17/0 6", "1 h 17/0 6", "2 GPU g 17/0 6", "3 whole GPU 17/0 6",
                                       "4 apple 10/10 2", "4 zebra 7/2 4", "5 leaf 5/5 1"));
  ExpectSound(tree);
}

TEST(BuildCallTree, SlicesOfOneHostAndGpu_ShareTheirRows) {
  const CallTree tree = BuildCallTree(SampleProfile());
  ExpectSound(tree);
  std::vector<std::string> upper;
  for (const CallNode& node : tree.nodes) {
    if (node.depth <= 3) upper.push_back(std::to_string(node.depth) + tree.frames[node.frame].name.substr(0, 11));
  }
  EXPECT_THAT(upper, ElementsAre("0all", "1node-a17", "2GPU NVIDIA ", "3MIG 1g.10gb", "3MIG 3g.40gb", "1node-b03",
                                 "2GPU NVIDIA ", "3MIG 1c.2g.2", "1node-c01", "2GPU NVIDIA ", "3whole GPU"));
}

TEST(BuildCallTree, SameSliceTwice_IsMerged) {
  analyze::Profile profile = SampleProfile();
  const CallTree once = BuildCallTree(profile, 0);
  profile.slices.erase(profile.slices.begin() + 1, profile.slices.end());
  profile.slices.push_back(profile.slices[0]);
  const CallTree twice = BuildCallTree(profile);
  ASSERT_EQ(twice.nodes.size(), once.nodes.size());
  EXPECT_EQ(twice.nodes[0].total_ns, 2 * once.nodes[0].total_ns);
  EXPECT_EQ(twice.nodes[0].total_count, 2 * once.nodes[0].total_count);
}

TEST(BuildCallTree, OrderOfRecording_DoesNotMatter) {
  analyze::Profile forward;
  analyze::Profile backward;
  for (analyze::Profile* profile : {&forward, &backward}) {
    analyze::SliceProfile slice;
    for (int i = 0; i < 50; ++i) {
      const int k = profile == &forward ? i : 49 - i;
      const auto parent = slice.stacks.Child(0, InternName(profile, "f" + std::to_string(k % 7)));
      slice.stacks.Add(slice.stacks.Child(parent, InternName(profile, "k" + std::to_string(k))),
                       static_cast<uint64_t>(k), 1);
    }
    profile->slices.push_back(std::move(slice));
  }
  EXPECT_EQ(Lines(BuildCallTree(forward)), Lines(BuildCallTree(backward)));
}

TEST(BuildCallTree, SliceThatDoesNotExist_GivesARoot) {
  EXPECT_EQ(BuildCallTree(SampleProfile(), 99).nodes.size(), 1u);
}

TEST(BuildCallTree, HostileNames_AreCleanAndNeverEmpty) {
  const CallTree tree = BuildCallTree(HostileProfile());
  ExpectSound(tree);
  for (const analyze::Frame& frame : tree.frames) {
    EXPECT_FALSE(frame.name.empty());
    EXPECT_FALSE(frame.full_name.empty());
    for (const char c : frame.name + frame.full_name + frame.module) {
      EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20) << frame.full_name;
    }
  }
}

TEST(LimitNodes, SmallTree_StaysAsItIs) {
  const CallTree tree = BuildCallTree(SampleProfile());
  EXPECT_EQ(Lines(LimitNodes(tree, tree.nodes.size())), Lines(tree));
}

TEST(LimitNodes, LargeTree_KeepsTheHeaviestAndEveryTotal) {
  const CallTree tree = BuildCallTree(LargeProfile(2000, 20, CallGraph::kSparse));
  for (const size_t most : {1u, 2u, 10u, 1000u}) {
    const CallTree limited = LimitNodes(tree, most);
    ExpectSound(limited);
    EXPECT_LE(limited.nodes.size(), most + 2);
    EXPECT_EQ(limited.nodes[0].total_ns, tree.nodes[0].total_ns);
    EXPECT_EQ(limited.nodes[0].total_count, tree.nodes[0].total_count);
  }
}

TEST(BuildCallTree, DepthOfAHundredThousand_NeedsNoRecursion) {
  analyze::Profile profile;
  analyze::SliceProfile slice;
  analyze::NodeId node = 0;
  const auto frame = InternName(&profile, "f");
  for (int i = 0; i < 100'000; ++i) node = slice.stacks.Child(node, frame);
  slice.stacks.Add(node, 1, 1);
  profile.slices.push_back(std::move(slice));
  const CallTree tree = BuildCallTree(profile);
  EXPECT_EQ(tree.nodes.back().depth, 100'003u);
  EXPECT_EQ(tree.nodes[0].total_ns, 1u);
}

}  // namespace
}  // namespace migprof::render
