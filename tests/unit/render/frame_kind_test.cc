// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/frame_kind.h"

#include <gtest/gtest.h>

#include <set>

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameKind;

Frame Named(const std::string& name, FrameKind kind = FrameKind::kKernel) {
  return {.name = name, .full_name = name, .module = "", .kind = kind};
}

TEST(ColorClass, KindGivesTheLetter_NameTheShade) {
  std::set<std::string> classes;
  for (int i = 0; i < 100; ++i) classes.insert(ColorClass(Named("kernel_" + std::to_string(i))));
  EXPECT_EQ(classes, (std::set<std::string>{"ki0", "ki1", "ki2", "ki3"}));
  EXPECT_EQ(ColorClass(Named("x", FrameKind::kHost))[1], 'a');
  EXPECT_EQ(ColorClass(Named("x", FrameKind::kNote))[1], 'l');
  EXPECT_EQ(ColorClass(Named("x", FrameKind::kRange))[1], 'm');
}

TEST(KindLabel, EveryKind_HasOne) {
  EXPECT_STREQ(KindLabel(FrameKind::kHost), "Host");
  EXPECT_STREQ(KindLabel(FrameKind::kMemset), "Memory set");
  EXPECT_STREQ(KindLabel(FrameKind::kNote), "Lost or unknown");
}

TEST(FitLabel, LessRoom_ShowsLessOfTheName) {
  const std::string name = "at::native::vectorized<4, Add<float> >(int, char*)";
  EXPECT_EQ(FitLabel(name, 60), name);
  EXPECT_EQ(FitLabel(name, 40), "at::native::vectorized");
  EXPECT_EQ(FitLabel(name, 20), "native::vectorized");
  EXPECT_EQ(FitLabel(name, 12), "vectorized");
  EXPECT_EQ(FitLabel(name, 6), "vecto…");
  EXPECT_EQ(FitLabel(name, 2), "");
  EXPECT_EQ(FitLabel("forward (model.py:131)", 10), "forward");
}

TEST(FitLabel, NamesThatAreNoFunctions_AreOnlyCut) {
  EXPECT_EQ(FitLabel("operator<(Foo const&, Foo const&)", 14), "operator<(Foo…");
  EXPECT_EQ(FitLabel("<lambda>", 5), "<lam…");
  EXPECT_EQ(FitLabel("a)b(c", 3), "a)…");
  EXPECT_EQ(FitLabel("trailing::", 5), "trai…");
  EXPECT_EQ(FitLabel("日本語日本語", 5), "日本…");
}

}  // namespace
}  // namespace migprof::render
