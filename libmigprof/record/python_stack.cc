// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_stack.h"

#include <algorithm>
#include <cstring>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

// Frames owned by this or more are the interpreter's own and lie between two runs of the evaluation loop.
constexpr uint8_t kOwnedByInterpreter = 3;
constexpr uint64_t kStackRefTag = 3;
constexpr uint64_t kMostLineTableBytes = 1 << 20;
constexpr uint32_t kPieceBytes = 4096;

enum class Sent { kYes, kNoRoom, kNonsense };

uint32_t RoundedUp(size_t bytes) { return static_cast<uint32_t>((bytes + 7) & ~size_t{7}); }

bool SendLines(SpscRing* ring, const uint8_t* lines, uint32_t count) noexcept {
  for (uint32_t sent = 0; sent < count;) {
    const uint32_t piece = std::min(count - sent, kPieceBytes);
    const uint32_t bytes = sizeof(PythonLinesRecord) + RoundedUp(piece);
    uint8_t* const room = ring->Reserve(bytes);
    if (room == nullptr) return false;
    PythonLinesRecord record{};
    record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kPythonLines, 0, piece};
    std::memcpy(room, &record, sizeof(record));
    std::memcpy(room + sizeof(record), lines + sent, piece);
    ring->Commit();
    sent += piece;
  }
  return true;
}

// Copies the code object of `entry` into the ring, and completes the entry.
__attribute__((noinline, cold)) Sent SendCode(const PythonReader& reader, PythonStackState* state, SpscRing* ring,
                                              KnownCode::Entry* entry) noexcept {
  const PythonLayout& layout = reader.layout;
  if (LoadFrom<uint64_t>(entry->address + layout.object_type) != reader.code_type) return Sent::kNonsense;
  const size_t file_bytes = CopyPythonText(layout, entry->file, state->file, sizeof(state->file));
  const size_t name_bytes = CopyPythonText(layout, entry->name, state->name, sizeof(state->name));
  const uint8_t* lines = nullptr;
  size_t line_bytes = FindPythonBytes(layout, entry->lines, &lines);
  if (file_bytes == kUnreadable || name_bytes == kUnreadable || line_bytes == kUnreadable) return Sent::kNonsense;
  // Of a table that would fill the ring the first part; later lines will be unknown.
  const size_t most_line_bytes = std::min(kMostLineTableBytes, ring->size() / 4);
  const bool is_cut = line_bytes > most_line_bytes;
  if (is_cut) line_bytes = most_line_bytes;

  const uint64_t text_hash = HashBytes(state->name, name_bytes, HashBytes(state->file, file_bytes));
  entry->code = HashBytes(lines, line_bytes, text_hash ^ static_cast<uint32_t>(entry->first_line));
  PythonCodeRecord record{};
  const uint32_t bytes = sizeof(record) + RoundedUp(file_bytes + name_bytes);
  const auto flags = static_cast<uint8_t>(static_cast<uint8_t>(layout.line_table) | (is_cut ? kCutLineTable : 0));
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kPythonCode, flags, 0};
  record.code = entry->code;
  record.first_line = entry->first_line;
  record.line_table_bytes = static_cast<uint32_t>(line_bytes);
  record.file_bytes = static_cast<uint32_t>(file_bytes);
  record.name_bytes = static_cast<uint32_t>(name_bytes);
  uint8_t* const room = ring->Reserve(bytes);
  if (room == nullptr) return Sent::kNoRoom;
  std::memcpy(room, &record, sizeof(record));
  std::memcpy(room + sizeof(record), state->file, file_bytes);
  std::memcpy(room + sizeof(record) + file_bytes, state->name, name_bytes);
  ring->Commit();
  return SendLines(ring, lines, static_cast<uint32_t>(line_bytes)) ? Sent::kYes : Sent::kNoRoom;
}

// Sets `*code` to the number of the code object at `address`, having sent it if need be.
inline Sent Intern(const PythonReader& reader, PythonStackState* state, SpscRing* ring, uint64_t address,
                   uint64_t* code) noexcept {
  const PythonLayout& layout = reader.layout;
  KnownCode::Entry* const entry = state->known_code.Find(address);
  const auto file = LoadFrom<uint64_t>(address + layout.code_file);
  const auto name = LoadFrom<uint64_t>(address + layout.code_name);
  const auto lines = LoadFrom<uint64_t>(address + layout.code_lines);
  const auto first_line = LoadFrom<int32_t>(address + layout.code_first_line);
  if (entry->address == address && entry->file == file && entry->name == name && entry->lines == lines &&
      entry->first_line == first_line) [[likely]] {
    *code = entry->code;
    return Sent::kYes;
  }
  *entry = {address, file, name, lines, 0, first_line};
  const Sent sent = SendCode(reader, state, ring, entry);
  if (sent != Sent::kYes) *entry = {};
  *code = entry->code;
  return sent;
}

// The offset of the running instruction of the frame at `frame`, which runs `code`.
inline int32_t Lasti(const PythonLayout& layout, uint64_t frame, uint64_t code) noexcept {
  if (layout.frame_lasti != kNoOffset) {
    const auto lasti = LoadFrom<int32_t>(frame + layout.frame_lasti);
    return lasti < 0 ? -1 : lasti * static_cast<int32_t>(layout.lasti_unit);
  }
  uint64_t start = code + layout.code_bytes;
  if (layout.frame_tlbc_index != kNoOffset) {
    // Each thread may run its own copy of the bytecode: {size, entries[size]}, the first being the code object's own.
    const auto index = LoadFrom<int32_t>(frame + layout.frame_tlbc_index);
    const auto copies = LoadFrom<uint64_t>(code + layout.code_tlbc);
    if (index > 0 && IsPlausibleAddress(copies) && index < LoadFrom<int64_t>(copies)) {
      start = LoadFrom<uint64_t>(copies + sizeof(uint64_t) * (1 + static_cast<uint64_t>(index)));
    }
  }
  const auto distance = static_cast<int64_t>(LoadFrom<uint64_t>(frame + layout.frame_instruction) - start);
  return distance >= 0 && distance < INT32_MAX ? static_cast<int32_t>(distance) : -1;
}

uint64_t InnermostFrame(const PythonReader& reader) noexcept {
  if (reader.is_finalizing != nullptr && reader.is_finalizing() != 0) return 0;
  const auto thread = reinterpret_cast<uint64_t>(reader.this_thread());
  if (thread == 0) return 0;
  const auto frame = LoadFrom<uint64_t>(thread + reader.layout.thread_frame);
  if (reader.layout.cframe_frame == kNoOffset) return frame;
  return IsPlausibleAddress(frame) ? LoadFrom<uint64_t>(frame + reader.layout.cframe_frame) : frame;
}

}  // namespace

PythonStack CapturePythonStack(const PythonReader& reader, PythonStackState* state, SpscRing* ring) noexcept {
  const PythonLayout& layout = reader.layout;
  PythonStack stack;
  uint64_t frame = InnermostFrame(reader);
  // Shim frames count as steps too, so that no circle can hold the thread.
  for (uint32_t step = 0; frame != 0; ++step) {
    if (!IsPlausibleAddress(frame)) return {.lost = true, .nonsense = true};
    if (stack.depth == kMaxPythonDepth || step == 4 * kMaxPythonDepth) {
      stack.truncated = true;
      break;
    }
    const uint64_t previous = LoadFrom<uint64_t>(frame + layout.frame_previous);
    const uint8_t mark = layout.frame_mark != kNoOffset ? LoadFrom<uint8_t>(frame + layout.frame_mark) : 0;
    if (layout.entry_mark == EntryMark::kShimFrame && mark >= kOwnedByInterpreter) {
      if (stack.depth != 0) state->frames[stack.depth - 1].is_entry = 1;
      frame = previous;
      continue;
    }
    const uint64_t code = LoadFrom<uint64_t>(frame + layout.frame_code) & ~kStackRefTag;
    if (!IsPlausibleAddress(code)) return {.lost = true, .nonsense = true};
    PythonFrame& out = state->frames[stack.depth];
    const Sent sent = Intern(reader, state, ring, code, &out.code);
    if (sent != Sent::kYes) [[unlikely]]
      return {.lost = true, .nonsense = sent == Sent::kNonsense};
    out.lasti = Lasti(layout, frame, code);
    out.is_entry =
        layout.entry_mark == EntryMark::kEveryFrame || (layout.entry_mark == EntryMark::kFlag && mark != 0) ? 1 : 0;
    ++stack.depth;
    frame = previous;
  }
  if (stack.depth == 0) return stack;
  stack.frames = state->frames;
  const uint64_t hash = HashBytes(stack.frames, stack.depth * sizeof(PythonFrame));
  stack.hash = hash != 0 ? hash : 1;
  return stack;
}

}  // namespace migprof::record
