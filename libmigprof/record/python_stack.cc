// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_stack.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

constexpr uint32_t kPieceBytes = 4096;
// Ends of longer ones do not tell them apart: if the length is broken, they are not there.
constexpr uint64_t kMostTextWithEnd = 4096;
constexpr uint64_t kMostTableWithEnd = 64 * 1024;

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

// "?" for what cannot be read: a program may name its code as it likes, and that is no reason to show no other.
size_t CopyText(const PythonLayout& layout, uint64_t text, char* out, size_t capacity) noexcept {
  const size_t bytes = CopyPythonText(layout, text, out, capacity);
  if (bytes != kUnreadable) return bytes;
  *out = '?';
  return 1;
}

// Copies the code object of `entry` into the ring, and completes the entry.
__attribute__((noinline, cold)) Sent SendCode(const PythonReader& reader, PythonStackState* state, SpscRing* ring,
                                              int32_t first_line, KnownCode::Entry* entry) noexcept {
  const PythonLayout& layout = reader.layout;
  if (LoadFrom<uint64_t>(entry->address + layout.object_type) != reader.code_type) return Sent::kNonsense;
  const size_t file_bytes = CopyText(layout, entry->file, state->file, sizeof(state->file));
  const size_t name_bytes = CopyText(layout, entry->name, state->name, sizeof(state->name));
  const uint8_t* lines = nullptr;
  size_t line_bytes = FindPythonBytes(layout, entry->lines, &lines);
  // Of a table that would fill the ring the first part, and none of one that cannot be read; later lines will be
  // unknown.
  const size_t most_line_bytes = std::min<size_t>(kLongestTable, ring->size() / 4);
  const bool is_cut = line_bytes > most_line_bytes;
  if (is_cut) line_bytes = line_bytes != kUnreadable ? most_line_bytes : 0;

  const uint64_t text_hash = HashBytes(state->name, name_bytes, HashBytes(state->file, file_bytes));
  entry->code = HashBytes(lines, line_bytes, text_hash ^ static_cast<uint32_t>(first_line));
  PythonCodeRecord record{};
  const uint32_t bytes = sizeof(record) + RoundedUp(file_bytes + name_bytes);
  const auto flags = static_cast<uint8_t>(static_cast<uint8_t>(layout.line_table) | (is_cut ? kCutLineTable : 0));
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kPythonCode, flags, 0};
  record.code = entry->code;
  record.first_line = first_line;
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

constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;

inline uint64_t Mixed(uint64_t state, uint64_t word) { return (state ^ word ^ state >> 32) * kMix; }

constexpr uint32_t kCompactBit = 1 << 5;  // of a str's state, where `interned` has two bits

// The content of what is not compact, as instances of subclasses of str; or has its state in another place.
__attribute__((noinline, cold)) uint64_t DistantTextContent(const PythonLayout& layout, uint64_t text) noexcept {
  PythonText found;
  if (!FindPythonText(layout, text, &found)) return LoadFrom<uint64_t>(text + layout.text_length);
  const uint64_t bytes = found.length * found.kind;
  const auto* const data = reinterpret_cast<const char*>(found.data);
  const uint64_t hash = HashBytes(data, std::min<uint64_t>(bytes, 64), bytes);
  return bytes > 64 && bytes <= kMostTextWithEnd ? HashBytes(data + bytes - 64, 64, hash) : hash;
}

// A str's length, its hash (where it was ever asked for, as of all interned ones), its first and its last bytes. Stays
// inside of the object whatever its kind: characters begin no earlier than those of an ASCII str.
inline uint64_t TextContent(const PythonLayout& layout, uint64_t text) noexcept {
  const auto length = LoadFrom<uint64_t>(text + layout.text_length);
  const auto hash = LoadFrom<uint64_t>(text + layout.text_length + sizeof(uint64_t));
  if ((LoadFrom<uint32_t>(text + layout.text_state) & kCompactBit) == 0) [[unlikely]]
    return DistantTextContent(layout, text);
  if (length > kMostTextWithEnd) [[unlikely]]
    return length + hash;
  const uint64_t start = text + layout.text_ascii;
  const auto last = LoadFrom<uint64_t>(start + length - 8);
  if (length < 16) return length + hash + std::rotl(last, 11);
  const auto first = LoadFrom<uint64_t>(start);
  const auto second = LoadFrom<uint64_t>(start + 8);
  return length + hash + std::rotl(last, 11) + std::rotl(first, 23) + std::rotl(second, 41);
}

// Size, first and last bytes.
inline uint64_t BytesContent(const PythonLayout& layout, uint64_t object) noexcept {
  const auto size = LoadFrom<uint64_t>(object + layout.bytes_size);
  const uint64_t first = size < 8 ? 0 : LoadFrom<uint64_t>(object + layout.bytes_data);
  if (size > kMostTableWithEnd) [[unlikely]]
    return size + std::rotl(first, 23);
  const auto last = LoadFrom<uint64_t>(object + layout.bytes_data + size - 8);
  return size + std::rotl(first, 23) + std::rotl(last, 11);
}

// The file of the frame before: frames that follow each other often share it.
struct LastFile {
  uint64_t file = 0;
  uint64_t content = 0;
};

// Sets `*code` to the number of the code object at `address`, having sent it if need be.
inline Sent Intern(const PythonReader& reader, PythonStackState* state, SpscRing* ring, uint64_t address,
                   LastFile* last_file, uint64_t* code) noexcept {
  const PythonLayout& layout = reader.layout;
  KnownCode::Entry* const entry = state->known_code.Find(address);
  const auto file = LoadFrom<uint64_t>(address + layout.code_file);
  const auto name = LoadFrom<uint64_t>(address + layout.code_name);
  const auto lines = LoadFrom<uint64_t>(address + layout.code_lines);
  if (!IsPlausibleAddress(file) || !IsPlausibleAddress(name) || !IsPlausibleAddress(lines)) [[unlikely]]
    return Sent::kNonsense;
  const auto first_line = LoadFrom<int32_t>(address + layout.code_first_line);
  uint64_t content = layout.code_version != kNoOffset ? LoadFrom<uint32_t>(address + layout.code_version) : 0;
  if (content == 0) {
    if (last_file->file != file) *last_file = {file, TextContent(layout, file)};
    content = Mixed(Mixed(Mixed(last_file->content, TextContent(layout, name)), BytesContent(layout, lines)),
                    static_cast<uint32_t>(first_line));
  }
  if (entry->address == address && entry->file == file && entry->name == name && entry->lines == lines &&
      entry->content == content) [[likely]] {
    *code = entry->code;
    return Sent::kYes;
  }
  *entry = {address, file, name, lines, content, 0};
  const Sent sent = SendCode(reader, state, ring, first_line, entry);
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

}  // namespace

uint64_t InnermostPythonFrame(const PythonReader& reader) noexcept {
  if (reader.is_finalizing != nullptr && reader.is_finalizing() != 0) return 0;
  const auto thread = reinterpret_cast<uint64_t>(reader.this_thread());
  if (thread == 0) return 0;
  const auto frame = LoadFrom<uint64_t>(thread + reader.layout.thread_frame);
  if (reader.layout.cframe_frame == kNoOffset) return frame;
  return IsPlausibleAddress(frame) ? LoadFrom<uint64_t>(frame + reader.layout.cframe_frame) : frame;
}

PythonStack CapturePythonStack(const PythonReader& reader, PythonStackState* state, SpscRing* ring,
                               bool lines) noexcept {
  const PythonLayout& layout = reader.layout;
  PythonStack stack;
  LastFile last_file;
  uint64_t frame = InnermostPythonFrame(reader);
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
    const Sent sent = Intern(reader, state, ring, code, &last_file, &out.code);
    if (sent != Sent::kYes) [[unlikely]]
      return {.lost = true, .nonsense = sent == Sent::kNonsense};
    out.lasti = lines ? Lasti(layout, frame, code) : kNoLine;
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
