// SPDX-License-Identifier: Apache-2.0
// What the process that reads debug information tells the one that asked, as text:
//   u PATH                                          this file is used
//   f LINE TAB DEFINITION LINE TAB FUNCTION TAB FILE TAB DEFINITION FILE    a frame, outermost first
//   a ADDRESS (hexadecimal)                         the frames since the last such line are of this address
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "libmigprof/analyze/source_frame.h"

namespace migprof::analyze {

class LineWriter {
 public:
  explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
  ~LineWriter() { Flush(); }
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  void File(const std::string& path);
  void Chain(uint64_t address, const SourceChain& chain);
  // Hands over what was written so far.
  void Flush();

 private:
  int descriptor_;
  std::string buffer_;
};

// Reads what a LineWriter wrote, up to where it was cut off; whatever else stands there is skipped. Returns the file.
std::string ReadLines(absl::string_view text, const std::function<void(uint64_t address, SourceChain chain)>& found);

}  // namespace migprof::analyze
