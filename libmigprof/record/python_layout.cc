// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_layout.h"

#include <cstring>

namespace migprof::record {
namespace {

// x86-64 and aarch64, release builds; the same for all releases of a minor version.
constexpr PythonLayout kLayouts[] = {
    {.version = 0x308,
     .entry_mark = EntryMark::kEveryFrame,
     .line_table = LineTableFormat::kLineNumberTable,
     .thread_frame = 24,
     .frame_code = 32,
     .frame_previous = 24,
     .frame_lasti = 104,
     .code_file = 104,
     .code_name = 112,
     .code_lines = 120,
     .code_first_line = 40,
     .instance_dict = InstanceDict::kPointer,
     .frame_locals = 360,
     .text_ascii = 48,
     .text_compact = 72},
    {.version = 0x309,
     .entry_mark = EntryMark::kEveryFrame,
     .line_table = LineTableFormat::kLineNumberTable,
     .thread_frame = 24,
     .frame_code = 32,
     .frame_previous = 24,
     .frame_lasti = 104,
     .code_file = 104,
     .code_name = 112,
     .code_lines = 120,
     .code_first_line = 40,
     .instance_dict = InstanceDict::kPointer,
     .frame_locals = 360,
     .text_ascii = 48,
     .text_compact = 72},
    {.version = 0x30a,
     .entry_mark = EntryMark::kEveryFrame,
     .line_table = LineTableFormat::kLineTable,
     .lasti_unit = 2,
     .thread_frame = 24,
     .frame_code = 32,
     .frame_previous = 24,
     .frame_lasti = 96,
     .code_file = 104,
     .code_name = 112,
     .code_lines = 120,
     .code_first_line = 40,
     .instance_dict = InstanceDict::kPointer,
     .frame_locals = 352,
     .text_ascii = 48,
     .text_compact = 72},
    {.version = 0x30b,
     .entry_mark = EntryMark::kFlag,
     .thread_frame = 56,
     .cframe_frame = 8,
     .frame_code = 32,
     .frame_previous = 48,
     .frame_instruction = 56,
     .frame_mark = 68,
     .code_bytes = 184,
     .code_file = 112,
     .code_name = 128,
     .code_lines = 136,
     .code_first_line = 72,
     .instance_dict = InstanceDict::kValuesBefore,
     .frame_locals = 72,
     .type_cached_keys = 872,
     .text_ascii = 48,
     .text_compact = 72},
    {.version = 0x30c,
     .thread_frame = 56,
     .cframe_frame = 0,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_instruction = 56,
     .frame_mark = 70,
     .code_bytes = 192,
     .code_file = 112,
     .code_name = 128,
     .code_lines = 136,
     .code_first_line = 68,
     .code_version = 92,
     .instance_dict = InstanceDict::kTagged,
     .frame_locals = 72,
     .type_cached_keys = 880,
     .text_ascii = 40,
     .text_compact = 56},
};

// Position of each field of _Py_DebugOffsets, counted in its 8-byte words from the first, the cookie.
struct Words {
  uint32_t thread_frame, frame_previous, frame_executable, frame_instruction, frame_locals, frame_owner,
      frame_tlbc_index, code_file, code_name, code_lines, code_first_line, code_locals, code_bytes, code_tlbc,
      object_type, type_flags, dict_keys, dict_values, bytes_size, bytes_data, text_state, text_length, text_ascii_size;
};

// A run of words for each struct inside: 3 before, runtime 3, interpreter 13, thread 9, frame 6, code 10, object 2,
// type 4, tuple 3, list 3, dict 3, float 2, long 3, bytes 3, unicode 4.
constexpr Words kWords313 = {.thread_frame = 19 + 4,
                             .frame_previous = 28 + 1,
                             .frame_executable = 28 + 2,
                             .frame_instruction = 28 + 3,
                             .frame_locals = 28 + 4,
                             .frame_owner = 28 + 5,
                             .frame_tlbc_index = 0,
                             .code_file = 34 + 1,
                             .code_name = 34 + 3,
                             .code_lines = 34 + 4,
                             .code_first_line = 34 + 5,
                             .code_locals = 34 + 7,
                             .code_bytes = 34 + 9,
                             .code_tlbc = 0,
                             .object_type = 44 + 1,
                             .type_flags = 46 + 3,
                             .dict_keys = 56 + 1,
                             .dict_values = 56 + 2,
                             .bytes_size = 64 + 1,
                             .bytes_data = 64 + 2,
                             .text_state = 67 + 1,
                             .text_length = 67 + 2,
                             .text_ascii_size = 67 + 3};

// As before, but interpreter 16, frame 8, code 11, and set 4 between list and dict.
constexpr Words kWords314 = {.thread_frame = 22 + 4,
                             .frame_previous = 31 + 1,
                             .frame_executable = 31 + 2,
                             .frame_instruction = 31 + 3,
                             .frame_locals = 31 + 4,
                             .frame_owner = 31 + 5,
                             .frame_tlbc_index = 31 + 7,
                             .code_file = 39 + 1,
                             .code_name = 39 + 3,
                             .code_lines = 39 + 4,
                             .code_first_line = 39 + 5,
                             .code_locals = 39 + 7,
                             .code_bytes = 39 + 9,
                             .code_tlbc = 39 + 10,
                             .object_type = 50 + 1,
                             .type_flags = 52 + 3,
                             .dict_keys = 66 + 1,
                             .dict_values = 66 + 2,
                             .bytes_size = 74 + 1,
                             .bytes_data = 74 + 2,
                             .text_state = 77 + 1,
                             .text_length = 77 + 2,
                             .text_ascii_size = 77 + 3};

// Takes offsets out of the words, and remembers whether each can be one.
class Reader {
 public:
  explicit Reader(const void* words) : words_(static_cast<const uint8_t*>(words)) {}

  uint64_t Word(uint32_t index) const {
    uint64_t word;
    std::memcpy(&word, words_ + index * sizeof(word), sizeof(word));
    return word;
  }
  uint32_t Offset(uint32_t index, uint32_t alignment) {
    constexpr uint64_t kLargest = 8192;
    const uint64_t offset = Word(index);
    ok_ &= offset < kLargest && offset % alignment == 0;
    return static_cast<uint32_t>(offset);
  }
  bool ok() const { return ok_; }

 private:
  const uint8_t* words_;
  bool ok_ = true;
};

// Of objects, types and dicts not everything that python_thread_name.cc reads is stated. What is must be as it is
// known.
bool HasKnownObjects(const Reader& reader, const Words& words) {
  return reader.Word(words.object_type) == 8 && reader.Word(words.type_flags) == 168 &&
         reader.Word(words.dict_keys) == 32 && reader.Word(words.dict_values) == 40;
}

}  // namespace

const PythonLayout* FindPythonLayout(uint32_t version) {
  for (const PythonLayout& layout : kLayouts) {
    if (layout.version == version) return &layout;
  }
  return nullptr;
}

bool ReadPythonLayout(const void* runtime, uint64_t hex_version, PythonLayout* layout) {
  const auto version = static_cast<uint32_t>(hex_version >> 16);
  if (version != 0x30d && version != 0x30e) return false;
  const Words& words = version == 0x30d ? kWords313 : kWords314;
  Reader reader(runtime);
  if (std::memcmp(runtime, "xdebugpy", 8) != 0 || reader.Word(1) != hex_version || reader.Word(2) > 1) return false;
  const bool free_threaded = reader.Word(2) == 1;
  PythonLayout read;
  read.version = version;
  read.thread_frame = reader.Offset(words.thread_frame, 8);
  read.frame_previous = reader.Offset(words.frame_previous, 8);
  read.frame_code = reader.Offset(words.frame_executable, 8);
  read.frame_instruction = reader.Offset(words.frame_instruction, 8);
  read.frame_mark = reader.Offset(words.frame_owner, 1);
  if (free_threaded && words.frame_tlbc_index != 0) {
    read.frame_tlbc_index = reader.Offset(words.frame_tlbc_index, 4);
    read.code_tlbc = reader.Offset(words.code_tlbc, 8);
  }
  read.code_file = reader.Offset(words.code_file, 8);
  read.code_name = reader.Offset(words.code_name, 8);
  read.code_lines = reader.Offset(words.code_lines, 8);
  read.code_first_line = reader.Offset(words.code_first_line, 4);
  // Not stated, but between two that are, with five other ints: co_version is the last before co_localsplusnames.
  if (reader.Offset(words.code_locals, 8) == read.code_first_line + 28) read.code_version = read.code_first_line + 24;
  read.code_bytes = reader.Offset(words.code_bytes, 2);
  read.object_type = reader.Offset(words.object_type, 8);
  if (version == 0x30d && !free_threaded && HasKnownObjects(reader, words)) {
    read.instance_dict = InstanceDict::kInline;
    read.frame_locals = reader.Offset(words.frame_locals, 8);
    read.type_cached_keys = 880;
  }
  read.bytes_size = reader.Offset(words.bytes_size, 8);
  read.bytes_data = reader.Offset(words.bytes_data, 1);
  read.text_state = reader.Offset(words.text_state, 4);
  read.text_length = reader.Offset(words.text_length, 8);
  read.text_ascii = reader.Offset(words.text_ascii_size, 8);
  read.text_compact = read.text_ascii + 16;  // PyCompactUnicodeObject: utf8_length and utf8 follow
  // Different fields of one struct cannot be in one place: a struct whose fields are in another order would say so.
  const bool distinct = read.frame_previous != read.frame_code && read.frame_previous != read.frame_instruction &&
                        read.code_file != read.code_name && read.code_file != read.code_lines &&
                        read.code_name != read.code_lines && read.text_state != read.text_length &&
                        read.object_type != 0 && read.bytes_data > read.bytes_size && read.text_ascii > read.text_state;
  if (!reader.ok() || !distinct) return false;
  *layout = read;
  return true;
}

}  // namespace migprof::record
