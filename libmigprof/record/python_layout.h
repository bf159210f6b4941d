// SPDX-License-Identifier: Apache-2.0
// Where the things that matter are in the memory of a CPython interpreter, by version.
#pragma once

#include <cstdint>

namespace migprof::record {

// How lines are stored with a code object.
enum class LineTableFormat : uint8_t {
  kLineNumberTable = 1,  // co_lnotab of 3.8 and 3.9
  kLineTable = 2,        // co_linetable of 3.10
  kLocationTable = 3,    // co_linetable of 3.11 and later
};

// What tells where one run of the evaluation loop ends and the C function that started it continues.
enum class EntryMark : uint8_t {
  kEveryFrame,  // 3.8 to 3.10: a run of its own for each Python frame
  kFlag,        // 3.11: _PyInterpreterFrame.is_entry
  kShimFrame,   // 3.12 and later: a frame owned by the interpreter or the C stack lies between two runs
};

// Where an instance of a class made by Python code keeps its attributes.
enum class InstanceDict : uint8_t {
  kUnknown,       // not understood: free-threaded builds, and 3.14 and later
  kPointer,       // 3.8 to 3.10: a dict at tp_dictoffset
  kValuesBefore,  // 3.11: values 32 bytes before the object, or else a dict 24 bytes before it
  kTagged,  // 3.12: one pointer 24 bytes before the object, with the lowest bit set to values less 1, else to a dict
  kInline,  // 3.13: values behind the object while they are valid, else a dict 24 bytes before it
};

inline constexpr uint32_t kNoOffset = UINT32_MAX;

// Offsets in bytes. All structures belong to the thread that reads them or never change.
struct PythonLayout {
  uint32_t version = 0;  // major << 8 | minor
  EntryMark entry_mark = EntryMark::kShimFrame;
  LineTableFormat line_table = LineTableFormat::kLocationTable;
  uint32_t lasti_unit = 1;  // bytes of code per unit of f_lasti; 3.8 to 3.10

  uint32_t thread_frame = 0;              // PyThreadState: the innermost frame, or the _PyCFrame that has it
  uint32_t cframe_frame = kNoOffset;      // _PyCFrame.current_frame; 3.11 and 3.12
  uint32_t frame_code = 0;                // the code object, from 3.14 on with tag bits
  uint32_t frame_previous = 0;            // the caller
  uint32_t frame_lasti = kNoOffset;       // int; 3.8 to 3.10
  uint32_t frame_instruction = 0;         // address of the running instruction; 3.11 and later
  uint32_t frame_mark = kNoOffset;        // is_entry or owner: one byte
  uint32_t frame_tlbc_index = kNoOffset;  // int32: which copy of the bytecode; free-threaded 3.14

  uint32_t code_bytes = 0;  // co_code_adaptive
  uint32_t code_file = 0;
  uint32_t code_name = 0;  // co_qualname; co_name up to 3.10
  uint32_t code_lines = 0;
  uint32_t code_first_line = 0;
  uint32_t code_version = kNoOffset;  // uint32: a number that no other code object ever gets, or 0; 3.12 and later
  uint32_t code_tlbc = kNoOffset;

  // Of the outermost frame and what its first local variable is, for the names of threads.
  InstanceDict instance_dict = InstanceDict::kUnknown;
  uint32_t frame_locals = kNoOffset;      // localsplus
  uint32_t type_cached_keys = kNoOffset;  // PyHeapTypeObject.ht_cached_keys; 3.11 and later

  uint32_t object_type = 8;
  uint32_t text_length = 16;
  uint32_t text_state = 32;
  uint32_t text_ascii = 0;    // characters of an ASCII str
  uint32_t text_compact = 0;  // characters of any other
  uint32_t bytes_size = 16;
  uint32_t bytes_data = 32;
};

// The layout of 3.8 to 3.12, which it takes from a table, or null.
const PythonLayout* FindPythonLayout(uint32_t version);

// The layout of 3.13 and 3.14 as the interpreter states it itself in _Py_DebugOffsets, which `runtime` (&_PyRuntime)
// begins with. `hex_version` is Py_Version. False when the statement is not there, is about another version, or makes
// no sense; the order of its fields changes with the minor version, so a later one is not understood either.
bool ReadPythonLayout(const void* runtime, uint64_t hex_version, PythonLayout* layout);

}  // namespace migprof::record
