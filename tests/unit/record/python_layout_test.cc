// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_layout.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace migprof::record {
namespace {

constexpr uint64_t kHex313 = 0x030d00f0;
constexpr uint64_t kHex314 = 0x030e00f0;

uint64_t Cookie() {
  uint64_t cookie;
  std::memcpy(&cookie, "xdebugpy", sizeof(cookie));
  return cookie;
}

// _Py_DebugOffsets as 3.13.0 states them, struct by struct.
std::vector<uint64_t> Words313() {
  std::vector<uint64_t> words = {Cookie(), kHex313, 0};
  const auto add = [&](std::initializer_list<uint64_t> fields) {
    words.insert(words.end(), fields.begin(), fields.end());
  };
  add({400000, 800, 824});                                        // runtime
  add({300000, 7304, 0, 7336, 7632, 7520, 1, 2, 3, 4, 5, 6, 7});  // interpreter
  add({336, 0, 8, 16, 72, 152, 160, 240, 32});                    // thread: current_frame 72
  add({88, 8, 0, 56, 72, 70});                                    // frame
  add({216, 112, 120, 128, 136, 68, 52, 96, 104, 200});           // code
  add({16, 8});                                                   // object
  add({416, 24, 88, 168});                                        // type
  add({32, 24, 16});                                              // tuple
  add({40, 24, 16});                                              // list
  add({48, 32, 40});                                              // dict
  add({24, 16});                                                  // float
  add({32, 16, 24});                                              // long
  add({40, 16, 32});                                              // bytes
  add({64, 32, 16, 40});                                          // unicode
  add({248, 88});                                                 // gc
  return words;
}

// A free-threaded 3.14, by its header: another object header, a copy of the bytecode per thread.
std::vector<uint64_t> Words314FreeThreaded() {
  std::vector<uint64_t> words = {Cookie(), kHex314, 1};
  const auto add = [&](std::initializer_list<uint64_t> fields) {
    words.insert(words.end(), fields.begin(), fields.end());
  };
  add({400000, 800, 824});
  add({300000, 7304, 0, 7336, 7400, 7632, 7520, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  add({336, 0, 8, 16, 80, 152, 160, 240, 32});
  add({96, 8, 0, 56, 80, 78, 64, 72});                         // …, owner, stackpointer, tlbc_index
  add({240, 128, 136, 144, 152, 84, 68, 112, 120, 224, 216});  // …, co_code_adaptive, co_tlbc
  add({32, 24});
  add({416, 40, 104, 184});
  add({48, 40, 32});
  add({56, 40, 32});
  add({200, 40, 48, 32});  // set
  add({64, 48, 56});
  add({40, 32});
  add({48, 32, 40});
  add({56, 32, 48});
  add({80, 48, 32, 56});
  add({248, 88});
  return words;
}

TEST(FindPythonLayout, KnowsItsVersionsOnly) {
  for (const uint32_t version : {0x308u, 0x309u, 0x30au, 0x30bu, 0x30cu}) {
    ASSERT_NE(FindPythonLayout(version), nullptr);
    EXPECT_EQ(FindPythonLayout(version)->version, version);
  }
  for (const uint32_t version : {0x207u, 0x307u, 0x30du, 0x30fu, 0x400u}) EXPECT_EQ(FindPythonLayout(version), nullptr);
}

TEST(ReadPythonLayout, TakesEachOffsetFromItsField) {
  PythonLayout layout;
  ASSERT_TRUE(ReadPythonLayout(Words313().data(), kHex313, &layout));
  EXPECT_EQ(layout.version, 0x30du);
  EXPECT_EQ(layout.entry_mark, EntryMark::kShimFrame);
  EXPECT_EQ(layout.thread_frame, 72u);
  EXPECT_EQ(layout.cframe_frame, kNoOffset);
  EXPECT_EQ(layout.frame_code, 0u);
  EXPECT_EQ(layout.frame_previous, 8u);
  EXPECT_EQ(layout.frame_instruction, 56u);
  EXPECT_EQ(layout.frame_mark, 70u);
  EXPECT_EQ(layout.frame_tlbc_index, kNoOffset);
  EXPECT_EQ(layout.code_bytes, 200u);
  EXPECT_EQ(layout.code_file, 112u);
  EXPECT_EQ(layout.code_name, 128u);
  EXPECT_EQ(layout.code_lines, 136u);
  EXPECT_EQ(layout.code_first_line, 68u);
  EXPECT_EQ(layout.code_version, 92u);
  EXPECT_EQ(layout.object_type, 8u);
  EXPECT_EQ(layout.text_length, 16u);
  EXPECT_EQ(layout.text_state, 32u);
  EXPECT_EQ(layout.text_ascii, 40u);
  EXPECT_EQ(layout.text_compact, 56u);
  EXPECT_EQ(layout.bytes_size, 16u);
  EXPECT_EQ(layout.bytes_data, 32u);
  EXPECT_EQ(layout.instance_dict, InstanceDict::kInline);
  EXPECT_EQ(layout.frame_locals, 72u);
}

TEST(ReadPythonLayout, NamesOfThreads_AreReadOnlyFromKnownObjects) {
  PythonLayout layout;
  for (const size_t word : {45u, 49u, 57u, 58u}) {  // ob_type, tp_flags, ma_keys, ma_values
    std::vector<uint64_t> words = Words313();
    words[word] += 8;
    ASSERT_TRUE(ReadPythonLayout(words.data(), kHex313, &layout));
    EXPECT_EQ(layout.instance_dict, InstanceDict::kUnknown);
  }
  std::vector<uint64_t> words = Words313();
  words[2] = 1;  // free-threaded
  ASSERT_TRUE(ReadPythonLayout(words.data(), kHex313, &layout));
  EXPECT_EQ(layout.instance_dict, InstanceDict::kUnknown);
}

TEST(ReadPythonLayout, FreeThreaded314_HasBytecodePerThread) {
  PythonLayout layout;
  ASSERT_TRUE(ReadPythonLayout(Words314FreeThreaded().data(), kHex314, &layout));
  EXPECT_EQ(layout.thread_frame, 80u);
  EXPECT_EQ(layout.frame_mark, 78u);
  EXPECT_EQ(layout.frame_tlbc_index, 72u);
  EXPECT_EQ(layout.code_tlbc, 216u);
  EXPECT_EQ(layout.code_version, 108u);
  EXPECT_EQ(layout.code_bytes, 224u);
  EXPECT_EQ(layout.code_name, 144u);
  EXPECT_EQ(layout.object_type, 24u);
  EXPECT_EQ(layout.bytes_size, 32u);
  EXPECT_EQ(layout.bytes_data, 48u);
  EXPECT_EQ(layout.text_state, 48u);
  EXPECT_EQ(layout.text_length, 32u);
  EXPECT_EQ(layout.text_ascii, 56u);
  EXPECT_EQ(layout.instance_dict, InstanceDict::kUnknown);
}

TEST(ReadPythonLayout, RefusesWhatItDoesNotUnderstand) {
  PythonLayout layout;
  const auto refused = [&](size_t word, uint64_t value) {
    std::vector<uint64_t> words = Words313();
    words[word] = value;
    return !ReadPythonLayout(words.data(), kHex313, &layout);
  };
  EXPECT_TRUE(refused(0, 0)) << "no cookie";
  EXPECT_TRUE(refused(1, kHex313 + 0x100)) << "of another release than the library says";
  EXPECT_TRUE(refused(2, 7)) << "neither free-threaded nor not";
  EXPECT_TRUE(refused(23, 73)) << "not aligned";
  EXPECT_TRUE(refused(23, 1 << 20)) << "no offset in a thread state";
  EXPECT_TRUE(refused(29, 0)) << "previous where the code is";
  EXPECT_FALSE(refused(4, 12345)) << "a field that is not used";
  std::vector<uint64_t> words = Words313();
  words[1] = 0x030f00f0;
  EXPECT_FALSE(ReadPythonLayout(words.data(), 0x030f00f0, &layout)) << "a version whose fields are in an unknown order";
}

}  // namespace
}  // namespace migprof::record
