// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/folded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

std::string Folded(const CallTree& tree) {
  std::ostringstream out;
  WriteFolded(tree, out);
  return out.str();
}

uint64_t SumOfValues(const std::string& folded) {
  std::istringstream lines(folded);
  uint64_t sum = 0;
  for (std::string line; std::getline(lines, line);) sum += std::stoull(line.substr(line.rfind(' ') + 1));
  return sum;
}

TEST(WriteFolded, SampleProfile_IsAsItEverWas) {
  ExpectGolden("sample.folded", Folded(BuildCallTree(SampleProfile())));
}

TEST(WriteFolded, HostileNames_AreAsTheyEverWere) {
  ExpectGolden("hostile.folded", Folded(BuildCallTree(HostileProfile())));
}

TEST(WriteFolded, NoSlices_GiveNoLine) { EXPECT_EQ(Folded(BuildCallTree(analyze::Profile())), ""); }

TEST(WriteFolded, ValuesAddUpToTheTree) {
  const CallTree tree = BuildCallTree(LargeProfile(5000, 30, CallGraph::kRandom));
  EXPECT_EQ(SumOfValues(Folded(tree)), tree.nodes[0].total_ns);
}

TEST(WriteFolded, InlinedFunctions_AreMarked) {
  EXPECT_NE(Folded(BuildCallTree(SourcesProfile())).find(";Outer(int);Inner()_[i];Inner();axpy 1000\n"),
            std::string::npos);
}

TEST(WriteFolded, NodeWithoutTime_GetsNoLine) {
  EXPECT_EQ(Folded(BuildCallTree(SampleProfile())).find("untimed_kernel"), std::string::npos);
}

TEST(WriteFolded, HostileNames_NeitherSplitNorJoinLines) {
  const CallTree tree = BuildCallTree(HostileProfile());
  const std::string folded = Folded(tree);
  const auto leaves =
      std::count_if(tree.nodes.begin(), tree.nodes.end(), [](const CallNode& node) { return node.self_ns != 0; });
  EXPECT_EQ(std::count(folded.begin(), folded.end(), '\n'), leaves);
  std::istringstream lines(folded);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ';'), 4) << line;  // host, GPU, slice, process, kernel
  }
}

}  // namespace
}  // namespace migprof::render
