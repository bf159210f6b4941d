// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/definitions.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace migprof::record {
namespace {

__attribute__((noinline)) uint64_t InsideThisFunction() {
  return reinterpret_cast<uint64_t>(__builtin_return_address(0));
}

TEST(StringIndex, SameText_HasOneId) {
  StringIndex strings;
  std::vector<uint32_t> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(strings.Intern("text " + std::to_string(i)));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(strings.Intern("text " + std::to_string(i)), ids[i]);
    EXPECT_EQ(strings[ids[i]], "text " + std::to_string(i));
  }
  EXPECT_EQ(ids[0], 1u);
}

TEST(U64Map, ManyKeys_AreFoundAndOthersNot) {
  U64Map map;
  for (uint64_t i = 0; i < 10'000; ++i) map.Insert(i * 16, static_cast<uint32_t>(i));
  for (uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_NE(map.Find(i * 16), nullptr);
    EXPECT_EQ(*map.Find(i * 16), i);
    EXPECT_EQ(map.Find(i * 16 + 1), nullptr);
  }
  EXPECT_EQ(map.size(), 10'000u);
}

TEST(FrameIndex, AddressOfThisProgram_GetsModuleAndName) {
  StringIndex strings;
  FrameIndex frames(&strings);
  const uint64_t address = InsideThisFunction();
  const uint32_t id = frames.Intern(address);
  EXPECT_EQ(frames.Intern(address), id);
  const Module& module = frames.modules()[frames[id].module];
  char self[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
  EXPECT_EQ(module.path, self);
  EXPECT_FALSE(module.build_id.empty());
  EXPECT_EQ(frames[id].name, 0u);
  frames.ResolveNames();
  ASSERT_NE(frames[id].name, 0u);
  EXPECT_NE(strings[frames[id].name].find("AddressOfThisProgram"), std::string::npos) << strings[frames[id].name];
  EXPECT_GT(frames[id].name_offset, 0u);
}

TEST(FrameIndex, LibraryFunction_IsNamedFromItsDynamicSymbols) {
  StringIndex strings;
  FrameIndex frames(&strings);
  const auto address = reinterpret_cast<uint64_t>(&getppid) + 2;
  const uint32_t id = frames.Intern(address);
  frames.ResolveNames();
  ASSERT_NE(frames[id].name, 0u);
  EXPECT_NE(strings[frames[id].name].find("getppid"), std::string::npos) << strings[frames[id].name];
}

TEST(FrameIndex, AddressOutsideOfEverything_HasNoModule) {
  StringIndex strings;
  FrameIndex frames(&strings);
  EXPECT_EQ(frames[frames.Intern(0x1234)].module, 0u);
}

TEST(StackIndex, StacksThatShareFrames_ShareNodes) {
  StringIndex strings;
  FrameIndex frames(&strings);
  StackIndex stacks(&frames);
  const std::vector<uint64_t> first = {0x30, 0x20, 0x10};  // innermost first
  const std::vector<uint64_t> second = {0x40, 0x20, 0x10};
  stacks.Define(1, first);
  stacks.Define(2, second);
  const uint32_t a = stacks.Find(1);
  const uint32_t b = stacks.Find(2);
  ASSERT_NE(a, 0u);
  ASSERT_NE(b, 0u);
  EXPECT_NE(a, b);
  EXPECT_EQ(stacks[a].parent, stacks[b].parent);
  EXPECT_EQ(frames[stacks[a].frame].address, 0x30u);
  const uint32_t outer = stacks[stacks[a].parent].parent;
  EXPECT_EQ(frames[stacks[outer].frame].address, 0x10u);
  EXPECT_EQ(stacks[outer].parent, 0u);
  EXPECT_EQ(stacks.Find(3), 0u);
}

TEST(ThreadIndex, PythonsNameStays_TheSystemsIsAskedAgain) {
  StringIndex strings;
  ThreadIndex threads(&strings);
  const auto name_of = [&](uint32_t serial) {
    return threads[serial].name != 0 ? strings[threads[serial].name] : std::string();
  };
  const auto here = static_cast<uint32_t>(gettid());
  constexpr uint32_t kGone = 0x7fff'fff0;  // no thread's id
  threads.Name(3, "Thread-1 (work)", /*for_good=*/true);
  threads.Note(3, here);
  EXPECT_EQ(name_of(3), "Thread-1 (work)");
  threads.Name(4, "then", /*for_good=*/false);
  threads.Note(4, here);
  EXPECT_NE(name_of(4), "then") << "the system knows one now";
  threads.Name(5, "then", /*for_good=*/false);
  threads.Note(5, kGone);
  EXPECT_EQ(name_of(5), "then");
  threads.Note(6, kGone);
  EXPECT_EQ(name_of(6), "");
}

TEST(ShapeIndex, NameAndShape_MakeTheIdentity) {
  StringIndex strings;
  ShapeIndex shapes(&strings);
  KernelShape shape;
  shape.grid[0] = 8;
  const uint32_t axpy = shapes.Intern("axpy", shape);
  EXPECT_EQ(shapes.Intern(std::string("axpy").c_str(), shape), axpy) << "the text counts, not the pointer";
  EXPECT_NE(shapes.Intern("gemm", shape), axpy);
  shape.grid[0] = 9;
  EXPECT_NE(shapes.Intern("axpy", shape), axpy);
  const uint32_t unnamed = shapes.Intern(nullptr, shape);
  EXPECT_EQ(shapes[unnamed].name, 0u);
}

}  // namespace
}  // namespace migprof::record
