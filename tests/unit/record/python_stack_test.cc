// SPDX-License-Identifier: Apache-2.0
// Walks through memory made by hand in the form of several versions; whole interpreters are in tests/integration.
#include "libmigprof/record/python_stack.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "libmigprof/record/definitions.h"
#include "libmigprof/record/python_definitions.h"
#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

constexpr uint64_t kCodeType = 0x5550;

uint64_t g_thread = 0;
int g_finalizing = 0;

// 3.14, free-threaded: everything that a layout can have.
constexpr PythonLayout kLayout314Free = {.version = 0x30e,
                                         .thread_frame = 80,
                                         .frame_code = 0,
                                         .frame_previous = 8,
                                         .frame_instruction = 56,
                                         .frame_mark = 78,
                                         .frame_tlbc_index = 72,
                                         .code_bytes = 224,
                                         .code_file = 128,
                                         .code_name = 144,
                                         .code_lines = 152,
                                         .code_first_line = 84,
                                         .code_tlbc = 216,
                                         .object_type = 24,
                                         .text_length = 32,
                                         .text_state = 48,
                                         .text_ascii = 56,
                                         .text_compact = 72,
                                         .bytes_size = 32,
                                         .bytes_data = 48};

class PythonStackTest : public testing::Test {
 protected:
  void Use(const PythonLayout& layout, uint64_t ring_bytes = 1 << 16) {
    g_finalizing = 0;
    reader_.layout = layout;
    reader_.code_type = kCodeType;
    reader_.this_thread = [] { return reinterpret_cast<void*>(g_thread); };
    reader_.is_finalizing = [] { return g_finalizing; };
    state_ = std::make_unique<WholePythonStackState>();
    ring_memory_.assign(ring_bytes / 8, 0);
    ring_.Init(reinterpret_cast<uint8_t*>(ring_memory_.data()), ring_bytes);
    thread_ = Object(400);
    g_thread = thread_;
  }

  uint64_t Object(size_t bytes) {
    const auto start = reinterpret_cast<uint64_t>(memory_.emplace_back(bytes / 8 + 2, uint64_t{0}).data());
    return (start + 15) & ~uint64_t{15};
  }
  template <typename T>
  void Set(uint64_t object, uint32_t offset, T value) {
    std::memcpy(reinterpret_cast<void*>(object + offset), &value, sizeof(value));
  }

  uint64_t Text(const std::string& text) {
    const PythonLayout& layout = reader_.layout;
    const uint64_t object = Object(layout.text_ascii + text.size());
    Set<uint64_t>(object, layout.text_length, text.size());
    Set<uint32_t>(object, layout.text_state, (1 | 1 << 3 | 1 << 4) << 2);
    std::memcpy(reinterpret_cast<void*>(object + layout.text_ascii), text.data(), text.size());
    return object;
  }
  // `lines` is the line table.
  void FillCode(uint64_t code, const std::string& name, const std::string& lines, int32_t first_line) {
    const PythonLayout& layout = reader_.layout;
    const uint64_t table = Object(layout.bytes_data + lines.size());
    Set<uint64_t>(table, layout.bytes_size, lines.size());
    std::memcpy(reinterpret_cast<void*>(table + layout.bytes_data), lines.data(), lines.size());
    Set(code, layout.object_type, kCodeType);
    Set(code, layout.code_file, Text("train.py"));
    Set(code, layout.code_name, Text(name));
    Set(code, layout.code_lines, table);
    Set(code, layout.code_first_line, first_line);
  }
  uint64_t Code(const std::string& name, const std::string& lines = "", int32_t first_line = 10) {
    const uint64_t code = Object(400);
    FillCode(code, name, lines, first_line);
    return code;
  }
  // `lasti` in bytes.
  uint64_t Frame(uint64_t code, int32_t lasti, uint8_t mark, uint64_t previous) {
    const PythonLayout& layout = reader_.layout;
    const uint64_t frame = Object(128);
    Set(frame, layout.frame_code, code);
    Set(frame, layout.frame_previous, previous);
    if (layout.frame_lasti != kNoOffset) {
      Set<int32_t>(frame, layout.frame_lasti, lasti / static_cast<int32_t>(layout.lasti_unit));
    } else {
      Set<uint64_t>(frame, layout.frame_instruction, code + layout.code_bytes + static_cast<uint64_t>(lasti));
    }
    if (layout.frame_mark != kNoOffset) Set(frame, layout.frame_mark, mark);
    return frame;
  }
  void Enter(uint64_t frame) {
    uint64_t holder = thread_;
    uint32_t offset = reader_.layout.thread_frame;
    if (reader_.layout.cframe_frame != kNoOffset) {
      const uint64_t cframe = Object(32);
      Set(thread_, offset, cframe);
      holder = cframe;
      offset = reader_.layout.cframe_frame;
    }
    Set(holder, offset, frame);
  }

  PythonStack Capture(bool lines = true) { return CapturePythonStack(reader_, state_.get(), &ring_, lines); }

  // What the drain thread makes of the ring: how many code objects were sent.
  int Drain() {
    int codes = 0;
    ring_.Drain([&](const RingRecordHeader* header) {
      if (header->kind == RingRecordKind::kPythonCode) {
        ++codes;
        index_.AddCode(1, *reinterpret_cast<const PythonCodeRecord*>(header));
      } else {
        index_.AddLines(1, *reinterpret_cast<const PythonLinesRecord*>(header));
      }
    });
    return codes;
  }

  // "outer:12* inner:7", * marking entries, as a trace will have it.
  std::string Defined(const PythonStack& stack) {
    index_.DefineStack(stack.hash, {stack.frames, stack.depth});
    std::string text;
    for (uint32_t node = index_.FindStack(stack.hash); node != 0; node = index_.node(node).parent) {
      const PythonFrameDefinition& frame = index_.frame(index_.node(node).frame);
      const std::string name = frame.code != 0 ? strings_[index_.code(frame.code).name] : "?";
      text = name + ":" + std::to_string(frame.line) + (frame.is_entry ? "*" : "") + (text.empty() ? "" : " ") + text;
    }
    return text;
  }

  PythonReader reader_;
  std::unique_ptr<WholePythonStackState> state_;
  std::vector<uint64_t> ring_memory_;
  SpscRing ring_;
  std::deque<std::vector<uint64_t>> memory_;
  uint64_t thread_ = 0;
  StringIndex strings_;
  PythonIndex index_{&strings_};
};

// Two instructions on the first line, all others two lines further down.
const std::string kLocations = {static_cast<char>(0x80 | 10 << 3 | 1), 0, 0,
                                static_cast<char>(0x80 | 12 << 3 | 7), 0, 0};

TEST_F(PythonStackTest, FrameObjects_AreEntriesEach) {
  Use(*FindPythonLayout(0x308));
  const uint64_t outer = Frame(Code("outer", {4, 1, 4, 1}), 5, 0, 0);
  Enter(Frame(Code("inner", {2, 7}, 100), -1, 0, outer));
  const PythonStack stack = Capture();
  ASSERT_EQ(stack.depth, 2u);
  EXPECT_EQ(Drain(), 2);
  EXPECT_EQ(Defined(stack), "outer:11* inner:100*");
}

TEST_F(PythonStackTest, LastiOf310_CountsInstructions) {
  Use(*FindPythonLayout(0x30a));
  Enter(Frame(Code("f", {4, 1, 4, 1}), 6, 0, 0));
  const PythonStack stack = Capture();
  Drain();
  EXPECT_EQ(Defined(stack), "f:12*");
}

TEST_F(PythonStackTest, FramesOf311_SayThemselvesWhetherTheyAreEntries) {
  Use(*FindPythonLayout(0x30b));
  const uint64_t outer = Frame(Code("outer", kLocations), 6, 1, 0);
  Enter(Frame(Code("inner", kLocations), 2, 0, outer));
  const PythonStack stack = Capture();
  Drain();
  EXPECT_EQ(Defined(stack), "outer:12* inner:10");
}

TEST_F(PythonStackTest, ShimFrames_MakeTheFrameBeforeThemAnEntry) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t shim = Frame(0, 0, 3, 0);
  const uint64_t outer = Frame(Code("outer", kLocations), 6, 0, shim);
  const uint64_t generator = Frame(Code("generator", kLocations), 0, 1, Frame(0, 0, 3, outer));
  Enter(Frame(0, 0, 3, Frame(Code("inner", kLocations), 6, 0, generator)));
  const PythonStack stack = Capture();
  Drain();
  EXPECT_EQ(Defined(stack), "outer:12* generator:10* inner:12");
}

TEST_F(PythonStackTest, FreeThreaded314_ReadsTheThreadsOwnBytecode) {
  Use(kLayout314Free);
  const uint64_t code = Code("f", kLocations);
  const uint64_t copy = Object(64);
  const uint64_t copies = Object(64);
  Set<uint64_t>(copies, 0, 2);
  Set<uint64_t>(copies, 8, code + reader_.layout.code_bytes);
  Set<uint64_t>(copies, 16, copy);
  Set(code, reader_.layout.code_tlbc, copies);
  // References carry tag bits; owners 3 and 4 are the interpreter and the C stack.
  const uint64_t own = Frame(code, 0, 0, Frame(0, 0, 4, 0));
  Set<uint64_t>(own, reader_.layout.frame_code, code | 1);
  Set<int32_t>(own, reader_.layout.frame_tlbc_index, 1);
  Set<uint64_t>(own, reader_.layout.frame_instruction, copy + 6);
  Enter(Frame(code, 2, 0, Frame(0, 0, 3, own)));
  const PythonStack stack = Capture();
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(stack), "f:12* f:10*");
}

TEST_F(PythonStackTest, OutsideOfPython_ThereIsNoStack) {
  Use(*FindPythonLayout(0x30c));
  Enter(Frame(Code("f"), 0, 0, 0));
  g_thread = 0;
  EXPECT_EQ(Capture().depth, 0u);
  EXPECT_FALSE(Capture().lost);
  g_thread = thread_;
  g_finalizing = 1;
  EXPECT_EQ(Capture().depth, 0u) << "thread states may be gone";
  g_finalizing = 0;
  EXPECT_EQ(Capture().depth, 1u);
  Enter(0);
  EXPECT_EQ(Capture().depth, 0u);
}

TEST_F(PythonStackTest, CodeIsSentOnce_AndAgainWhenTheAddressHoldsOtherCode) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t code = Code("first", kLocations);
  Enter(Frame(code, 0, 0, 0));
  const PythonStack before = Capture();
  const uint64_t hash = before.hash;
  EXPECT_EQ(Capture().hash, hash);
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(Capture()), "first:10");
  FillCode(code, "second", kLocations, 10);
  const PythonStack after = Capture();
  EXPECT_NE(after.hash, hash);
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(after), "second:10");
}

TEST_F(PythonStackTest, CodeIsSentAgain_WhenItsNumberIsAnother) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t code = Code("f", kLocations);
  Enter(Frame(code, 6, 0, 0));
  Set<uint32_t>(code, reader_.layout.code_version, 7);
  Capture();
  Capture();
  EXPECT_EQ(Drain(), 1);
  Set<uint32_t>(code, reader_.layout.code_version, 8);
  Capture();
  EXPECT_EQ(Drain(), 1);
}

TEST_F(PythonStackTest, CodeIsSentAgain_WhenTheSameAddressesHoldOtherText) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t code = Code("made_1.<locals>.inner_function", kLocations);
  Enter(Frame(code, 6, 0, 0));
  Capture();
  EXPECT_EQ(Drain(), 1);
  const uint64_t name = LoadFrom<uint64_t>(code + reader_.layout.code_name);
  Set(name, reader_.layout.text_ascii + 5, '2');
  const PythonStack renamed = Capture();
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(renamed), "made_2.<locals>.inner_function:12");
  const uint64_t lines = LoadFrom<uint64_t>(code + reader_.layout.code_lines);
  Set(lines, reader_.layout.bytes_data + 3, static_cast<char>(0x80 | 11 << 3 | 7));
  const PythonStack moved = Capture();
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(moved), "made_2.<locals>.inner_function:11");
}

// What `name` of `code` is, as an instance of a subclass of str has it.
TEST_F(PythonStackTest, InstancesOfASubclassAsNames_AreNamesLikeOthers) {
  for (const uint32_t version : {0x308, 0x309, 0x30a, 0x30b, 0x30c}) {
    Use(*FindPythonLayout(version));
    const PythonLayout& layout = reader_.layout;
    const uint64_t code = Code("f", "");
    const uint64_t characters = Object(64);
    std::memcpy(reinterpret_cast<void*>(characters), "subclass_of_str", 15);
    const uint64_t name = Object(layout.text_compact + 8);
    Set<uint64_t>(name, layout.text_length, 15);
    Set<uint32_t>(name, layout.text_state, (1 | 1 << 4) << 2);
    Set<uint64_t>(name, layout.text_compact, characters);
    Set(code, layout.code_name, name);
    Enter(Frame(code, 0, layout.entry_mark == EntryMark::kFlag, 0));
    const PythonStack stack = Capture();
    EXPECT_FALSE(stack.nonsense);
    ASSERT_EQ(stack.depth, 1u) << version;
    EXPECT_EQ(Drain(), 1);
    EXPECT_EQ(Defined(stack).substr(0, 15), "subclass_of_str") << version;
    // Its characters identify it, wherever they are.
    Set(characters, 9, 'O');
    Capture();
    EXPECT_EQ(Drain(), 1) << version;
  }
}

TEST_F(PythonStackTest, NameThatCannotBeRead_IsAQuestionMarkAndTheOthersStay) {
  Use(*FindPythonLayout(0x30b));
  const uint64_t code = Code("odd", kLocations);
  Set<uint32_t>(LoadFrom<uint64_t>(code + reader_.layout.code_name), reader_.layout.text_state, 0);
  Enter(Frame(Code("inner", kLocations), 0, 1, Frame(code, 0, 1, 0)));
  const PythonStack stack = Capture();
  EXPECT_FALSE(stack.nonsense);
  ASSERT_EQ(stack.depth, 2u);
  Drain();
  EXPECT_EQ(Defined(stack), "?:10* inner:10*");
}

TEST_F(PythonStackTest, LengthsThatNoNameHas_AreNotFollowed) {
  Use(*FindPythonLayout(0x30b));
  const uint64_t code = Code("a_name_of_some_length", kLocations);
  const uint64_t name = LoadFrom<uint64_t>(code + reader_.layout.code_name);
  const uint64_t lines = LoadFrom<uint64_t>(code + reader_.layout.code_lines);
  Enter(Frame(code, 0, 1, 0));
  // 1 << 40: nothing is mapped behind, at any distance that could be read.
  for (const uint64_t length : {uint64_t{1} << 26, uint64_t{1} << 27, (uint64_t{1} << 28) - 1, uint64_t{1} << 40}) {
    Set<uint64_t>(name, reader_.layout.text_length, length);
    EXPECT_EQ(Capture().depth, 1u) << length;
    Drain();
    Set<uint64_t>(name, reader_.layout.text_length, 21);
    Set<uint64_t>(lines, reader_.layout.bytes_size, length);
    EXPECT_EQ(Capture().depth, 1u) << length;
    Drain();
    Set<uint64_t>(lines, reader_.layout.bytes_size, kLocations.size());
  }
}

TEST_F(PythonStackTest, WithoutLines_FramesHaveNone) {
  Use(*FindPythonLayout(0x30b));
  const uint64_t code = Code("f", kLocations);
  Enter(Frame(code, 6, 1, 0));
  const PythonStack stack = Capture(/*lines=*/false);
  Drain();
  EXPECT_EQ(Defined(stack), "f:0*");
  Enter(Frame(code, 2, 1, 0));
  EXPECT_EQ(Capture(false).hash, stack.hash) << "one frame, wherever in the function";
}

TEST_F(PythonStackTest, LongTables_AreSentInPieces) {
  Use(*FindPythonLayout(0x308), 1 << 18);
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += {2, 1};
  Enter(Frame(Code("f", lines), 19'998, 0, 0));
  const PythonStack stack = Capture();
  EXPECT_EQ(Drain(), 1);
  EXPECT_EQ(Defined(stack), "f:10009*");
}

TEST_F(PythonStackTest, FullRing_LosesTheStackUntilThereIsRoom) {
  Use(*FindPythonLayout(0x308), 1 << 12);
  std::string lines(900, '\1');
  Enter(Frame(Code("a", lines), 0, 0, Frame(Code("b", lines), 0, 0, Frame(Code("c", lines), 0, 0, 0))));
  while (ring_.Reserve(512) != nullptr) {
    RingRecordHeader header{512, RingRecordKind::kPadding, 0, 0};
    std::memcpy(ring_.Reserve(512), &header, sizeof(header));
    ring_.Commit();
  }
  PythonStack stack = Capture();
  EXPECT_TRUE(stack.lost);
  EXPECT_FALSE(stack.nonsense);
  EXPECT_EQ(stack.depth, 0u);
  for (int i = 0; i < 5 && stack.depth == 0; ++i) {
    Drain();
    stack = Capture();
  }
  Drain();
  ASSERT_EQ(stack.depth, 3u);
  EXPECT_EQ(Defined(stack), "c:10* b:10* a:10*");
}

TEST_F(PythonStackTest, MemoryThatIsNotAsItShouldBe_IsNotFollowed) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t code = Code("f");
  Set<uint64_t>(code, reader_.layout.object_type, 0x6660);
  Enter(Frame(code, 0, 0, 0));
  EXPECT_TRUE(Capture().nonsense) << "no code object";
  Enter(Frame(0x123, 0, 0, 0));
  EXPECT_TRUE(Capture().nonsense) << "no address of code";
  Enter(Frame(Code("g"), 0, 0, 0x77));
  EXPECT_TRUE(Capture().nonsense) << "no address of a frame";
  EXPECT_EQ(Capture().depth, 0u);
}

TEST_F(PythonStackTest, DepthIsBounded_AlsoInACircle) {
  Use(*FindPythonLayout(0x30c));
  const uint64_t frame = Frame(Code("f"), 0, 0, 0);
  Set(frame, reader_.layout.frame_previous, frame);
  Enter(frame);
  const PythonStack stack = Capture();
  EXPECT_EQ(stack.depth, kMaxPythonDepth);
  EXPECT_TRUE(stack.truncated);
  const uint64_t shim = Frame(0, 0, 3, 0);
  Set(shim, reader_.layout.frame_previous, shim);
  Enter(shim);
  EXPECT_EQ(Capture().depth, 0u);
}

}  // namespace
}  // namespace migprof::record
