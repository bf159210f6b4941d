// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/definitions.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <cstring>
#include <string>

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

// Edges of a trie: a table that looks at their lower half only takes hours for this.
TEST(U64Map, KeysThatDifferInTheirUpperHalf_DoNotMeet) {
  U64Map map;
  constexpr uint64_t kKeys = 1'000'000;
  for (uint64_t i = 1; i <= kKeys; ++i) map.Insert(i << 32 | 3, static_cast<uint32_t>(i));
  for (uint64_t i = 1; i <= kKeys; ++i) ASSERT_EQ(*map.Find(i << 32 | 3), i);
  EXPECT_EQ(map.Find(3), nullptr);
  EXPECT_GE(map.BytesWith(kKeys), 2 * map.BytesWith(0));
}

// The addresses of a stack, innermost first.
std::vector<uint64_t> AddressesOf(const Definitions& definitions, uint32_t node) {
  std::vector<uint64_t> addresses;
  for (; node != 0; node = definitions.Of(node).stacks[node].parent) {
    const uint32_t frame = definitions.Of(node).stacks[node].frame;
    addresses.push_back(definitions.Of(frame).frames[frame].address);
  }
  return addresses;
}

TEST(Definitions, OnceForgotten_AreStillFound_AndThenNot) {
  Definitions definitions;
  const std::vector<uint64_t> first = {0x30, 0x20, 0x10};
  const std::vector<uint64_t> second = {0x40, 0x20, 0x10};
  definitions.now().stacks.Define(1, first);
  definitions.now().ranges.Define(7, 0, "", "epoch", false);
  const uint32_t before = definitions.FindStack(1);
  definitions.Forget();
  EXPECT_EQ(definitions.FindStack(1), before);
  EXPECT_EQ(AddressesOf(definitions, before), first);
  definitions.now().ranges.Define(8, definitions.FindRange(7), "", "step", false);
  const uint32_t step = definitions.FindRange(8);
  const uint32_t epoch = definitions.Of(step).ranges[step].parent;
  EXPECT_EQ(definitions.Of(epoch).strings[definitions.Of(epoch).ranges[epoch].name], "epoch");

  // Said again, it gets another number, and so does what is new.
  definitions.now().stacks.Define(1, first);
  definitions.now().stacks.Define(2, second);
  const uint32_t after = definitions.FindStack(1);
  EXPECT_GT(after, before);
  EXPECT_EQ(AddressesOf(definitions, after), first);
  EXPECT_EQ(AddressesOf(definitions, definitions.FindStack(2)), second);

  definitions.Forget();
  EXPECT_GE(definitions.last_forgotten(), before);
  EXPECT_LT(definitions.last_forgotten(), after);
  EXPECT_EQ(definitions.FindStack(1), after);
  definitions.Forget();
  EXPECT_EQ(definitions.FindStack(1), 0u);
  EXPECT_EQ(definitions.times_forgotten(), 3u);
}

TEST(Definitions, WhatIsRenewed_IsTheSameUnderAnotherNumber) {
  Definitions definitions;
  const auto in_libc = reinterpret_cast<uint64_t>(&getpid) + 1;
  const std::vector<uint64_t> addresses = {in_libc, 0x20, 0x10};
  definitions.now().stacks.Define(1, addresses);
  definitions.now().ranges.Define(7, 0, "domain", "epoch", false);
  definitions.now().ranges.Define(8, definitions.FindRange(7), "", "step", true);
  uint32_t api = definitions.now().strings.Intern("cuMemAlloc");
  uint32_t stack = definitions.FindStack(1);
  uint32_t range = definitions.FindRange(8);
  for (int generation = 0; generation < 4; ++generation) {
    definitions.now().frames.ResolveNames();
    definitions.Forget();
    const uint32_t stack_before = stack;
    stack = definitions.RenewStack(stack);
    EXPECT_GT(stack, stack_before);
    EXPECT_EQ(definitions.RenewStack(stack_before), stack);
    EXPECT_EQ(definitions.RenewStack(stack), stack);
    range = definitions.RenewRange(range);
    api = definitions.RenewString(api);
    EXPECT_EQ(definitions.RenewStack(0), 0u);
    // All that they refer to is of the present generation, too.
    const DefinitionTables& now = definitions.now();
    EXPECT_GT(std::min({stack, range, api, now.ranges[range].parent}), now.base);
    EXPECT_EQ(AddressesOf(definitions, stack), addresses);
    for (uint32_t node = stack; node != 0; node = now.stacks[node].parent) {
      EXPECT_GT(node, now.base);
      EXPECT_GT(now.stacks[node].frame, now.base);
    }
    const FrameDefinition& frame = now.frames[now.stacks[stack].frame];
    EXPECT_FALSE(now.frames.modules()[frame.module].path.empty());
    EXPECT_EQ(now.strings[api], "cuMemAlloc");
    EXPECT_EQ(now.strings[now.ranges[range].name], "step");
    EXPECT_TRUE(now.ranges[range].is_started);
    const RangeNode& parent = now.ranges[now.ranges[range].parent];
    EXPECT_EQ(now.strings[parent.name], "epoch");
    EXPECT_EQ(now.strings[parent.domain], "domain");
  }
}

TEST(Definitions, NamesThatThreadsSaidOnce_AreKeptFromGenerationToGeneration) {
  Definitions definitions;
  const auto name_of = [&](uint32_t serial) {
    const uint32_t name = definitions.FindThread(serial).name;
    return name != 0 ? definitions.Of(name).strings[name] : std::string();
  };
  const auto here = static_cast<uint32_t>(gettid());
  definitions.now().threads.Name(3, "Thread-1 (work)", /*for_good=*/true);
  definitions.now().threads.Note(3, here);
  definitions.now().threads.Name(4, "Thread-2 (work)", /*for_good=*/true);  // has not called yet
  for (int generation = 0; generation < 4; ++generation) {
    definitions.Forget();
    for (const uint32_t serial : {3u, 4u, 5u}) definitions.KeepThread(serial);
    EXPECT_EQ(name_of(3), "Thread-1 (work)");
    EXPECT_EQ(definitions.FindThread(3).system_id, here);
    EXPECT_EQ(name_of(4), "Thread-2 (work)");
    EXPECT_FALSE(definitions.FindThread(5).is_known());
  }
  definitions.now().threads.Note(4, here);
  EXPECT_EQ(name_of(4), "Thread-2 (work)");
  EXPECT_EQ(definitions.FindThread(4).system_id, here);
  definitions.Forget();
  EXPECT_EQ(name_of(3), "Thread-1 (work)") << "of the generation before";
  definitions.Forget();
  EXPECT_EQ(name_of(3), "") << "nobody kept it";
}

TEST(Definitions, WhatComesForEver_StaysWithinItsMemory) {
  constexpr size_t kMost = 1 << 20;
  Definitions definitions;
  definitions.LimitMemory(kMost);
  for (uint64_t i = 1; i <= 200'000; ++i) {
    if (definitions.is_full()) definitions.Forget();
    ASSERT_LE(definitions.now().BytesSoon(), kMost / 2);
    definitions.now().stacks.Define(i, std::vector<uint64_t>{i << 4, (i / 7) << 4, 0x10});
    const uint32_t node = definitions.FindStack(i);
    ASSERT_NE(node, 0u);
    ASSERT_EQ(AddressesOf(definitions, node).front(), i << 4);
    ASSERT_TRUE(i == 1 || definitions.FindStack(i - 1) != 0) << "what came a moment ago is never forgotten";
    definitions.now().shapes.Intern(("kernel" + std::to_string(i)).c_str(), {});
  }
  EXPECT_GT(definitions.times_forgotten(), 10u);
}

TEST(Definitions, PythonCodeThatWasForgotten_IsCarriedOver) {
  Definitions definitions;
  alignas(8) uint8_t bytes[64] = {};
  auto& record = *reinterpret_cast<PythonCodeRecord*>(bytes);
  record = {.header = {64, RingRecordKind::kPythonCode, 0, 0},
            .code = 99,
            .first_line = 5,
            .line_table_bytes = 0,
            .file_bytes = 4,
            .name_bytes = 3};
  std::memcpy(bytes + sizeof(record), "a.pyrun", 7);
  definitions.now().python.AddCode(1, record);
  definitions.Forget();
  // The stack was sent right behind the code, which its thread therefore does not send again.
  definitions.now().python.DefineStack(5, std::vector<PythonFrame>{{.code = 99, .lasti = kNoLine, .is_entry = 1}});
  definitions.Forget();
  const uint32_t node = definitions.FindPythonStack(5);
  ASSERT_NE(node, 0u);
  const DefinitionTables& tables = definitions.Of(node);
  const uint32_t code = tables.python.frame(tables.python.node(node).frame).code;
  ASSERT_NE(code, 0u);
  EXPECT_EQ(tables.strings[tables.python.code(code).name], "run");
  EXPECT_EQ(tables.strings[tables.python.code(code).file], "a.py");
}

}  // namespace
}  // namespace migprof::record
