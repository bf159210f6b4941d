// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "libmigprof/record/python_stack.h"

namespace migprof::bench {

// A thread inside Python 3.12 as its memory would be: frames and code objects, no interpreter.
class PythonThread {
 public:
  static constexpr uint32_t kFrames = 30;

  // The thread that makes one is the thread inside Python. `has_numbers`: code objects are numbered, as from 3.12 on.
  explicit PythonThread(bool has_numbers) {
    record::PythonLayout layout = *record::FindPythonLayout(0x30c);
    if (!has_numbers) layout.code_version = record::kNoOffset;
    uint64_t file = 0;
    for (uint32_t i = 0; i < kFrames; ++i) {
      if (i % kFramesPerRun == 0) frame_ = Frame(layout, 0, 3, frame_);
      if (i % kFramesPerFile == 0) file = Text(layout);
      const uint64_t code = code_ = Object(512);
      Set(code, 8, kCodeType);
      Set(code, layout.code_file, file);
      Set(code, layout.code_name, Text(layout));
      Set(code, layout.code_lines, Object(128));
      Set<uint32_t>(code, layout.code_first_line, i);
      if (has_numbers) Set<uint32_t>(code, layout.code_version, i + 1);
      frame_ = Frame(layout, code, 0, frame_);
    }
    const uint64_t cframe = Object(32);
    Set(cframe, layout.cframe_frame, frame_);
    thread_ = Object(400);
    Set(thread_, layout.thread_frame, cframe);
    reader_.layout = layout;
    reader_.code_type = kCodeType;
    reader_.this_thread = [] { return reinterpret_cast<void*>(thread_); };
    reader_.is_finalizing = [] { return 0; };
  }

  // The innermost frame goes on to another instruction, of a few.
  void MoveOn(uint64_t n) {
    Set(frame_, reader_.layout.frame_instruction, code_ + reader_.layout.code_bytes + 20 + n % 16 * 2);
  }
  const record::PythonReader& reader() const { return reader_; }

 private:
  // Python frames of one run of the evaluation loop.
  static constexpr uint32_t kFramesPerRun = 6;
  // Neighbouring frames of one file.
  static constexpr uint32_t kFramesPerFile = 2;
  static constexpr uint64_t kCodeType = 0x5550;

  uint64_t Object(size_t bytes) {
    return reinterpret_cast<uint64_t>(memory_.emplace_back(bytes / 8, uint64_t{0}).data());
  }
  template <typename T>
  static void Set(uint64_t object, uint32_t offset, T value) {
    std::memcpy(reinterpret_cast<void*>(object + offset), &value, sizeof(value));
  }
  uint64_t Text(const record::PythonLayout& layout) {
    const uint64_t text = Object(64);
    Set<uint32_t>(text, layout.text_state, (1 | 1 << 3 | 1 << 4) << 2);
    return text;
  }
  uint64_t Frame(const record::PythonLayout& layout, uint64_t code, uint8_t owner, uint64_t previous) {
    const uint64_t frame = Object(128);
    Set(frame, layout.frame_code, code);
    Set(frame, layout.frame_previous, previous);
    Set(frame, layout.frame_instruction, code + layout.code_bytes + 20);
    Set(frame, layout.frame_mark, owner);
    return frame;
  }

  static inline thread_local uint64_t thread_ = 0;
  uint64_t frame_ = 0;  // innermost
  uint64_t code_ = 0;   // of it
  std::deque<std::vector<uint64_t>> memory_;
  record::PythonReader reader_;
};

}  // namespace migprof::bench
