// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_thread_name.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

// The outermost frame of a thread is looked for among so many.
constexpr uint32_t kMostFrames = 1 << 16;
// Keys shared by the instances of a class are at most 30; of a dict of its own more are not looked at.
constexpr uint64_t kMostKeys = 128;
// How often everything must be the same. Reading once takes longer than a thread with the GIL needs to give another
// name: that a string is freed, its memory used by another, and that freed again and used by a name again, each time
// between the same two steps of reading, does not happen as often as this.
constexpr size_t kRounds = 6;
constexpr int kAttempts = 3;

// PyTypeObject and PyDictObject; the same from 3.8 to 3.13.
constexpr uint32_t kTypeFlags = 168;
constexpr uint32_t kTypeDictOffset = 288;
constexpr uint32_t kDictKeys = 32;
constexpr uint32_t kDictValues = 40;
constexpr uint32_t kInlineValues = 16;  // behind the head of an object
constexpr uint64_t kInlineValuesFlag = 1 << 2;
constexpr uint64_t kManagedDictFlag = 1 << 4;
constexpr uint64_t kHeapTypeFlag = 1 << 9;

constexpr std::string_view kNameKey = "_name";

bool ReadSafely(const iovec* remote, size_t count, void* out, size_t bytes) noexcept {
  const iovec local{out, bytes};
  return process_vm_readv(getpid(), &local, 1, remote, count, 0) == static_cast<ssize_t>(bytes);
}

template <typename T>
bool ReadSafely(uint64_t address, T* out) noexcept {
  const iovec remote{reinterpret_cast<void*>(address), sizeof(T)};
  return ReadSafely(&remote, 1, out, sizeof(T));
}

// The words that were followed from the Thread object to its name: all must still be the same in the end.
class Trail {
 public:
  // Reads the word at `address`. False when there is none.
  bool Follow(uint64_t address, uint64_t* word) noexcept {
    if (!IsPlausibleAddress(address) || count_ == kMostSteps || !ReadSafely(address, word)) return false;
    steps_[count_++] = {address, *word};
    return true;
  }
  size_t size() const { return count_; }
  iovec RangeOf(size_t step) const { return {reinterpret_cast<void*>(steps_[step].address), sizeof(uint64_t)}; }
  // Whether `words`, as they are now, are what they were.
  bool IsAt(const uint8_t* words) const {
    for (size_t i = 0; i < count_; ++i) {
      if (std::memcmp(words + i * sizeof(uint64_t), &steps_[i].word, sizeof(uint64_t)) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kMostSteps = 10;
  struct Step {
    uint64_t address;
    uint64_t word;
  };
  Step steps_[kMostSteps];
  size_t count_ = 0;
};

// What a dict's keys are, with the indices that follow them.
struct Keys {
  uint64_t entries;
  uint64_t count;
  uint32_t entry_bytes;  // {hash, key, value}, or without the hash
};

bool ReadKeys(const PythonLayout& layout, uint64_t address, Keys* keys) noexcept {
  if (!IsPlausibleAddress(address)) return false;
  if (layout.instance_dict == InstanceDict::kPointer) {
    // {dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries}
    uint64_t words[5];
    if (!ReadSafely(address, &words)) return false;
    const uint64_t size = words[1];
    if (size == 0 || size > 0xffff'ffff || (size & (size - 1)) != 0) return false;
    *keys = {address + 40 + size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4), words[4], 24};
  } else {
    // {dk_refcnt, dk_log2_size : 8, dk_log2_index_bytes : 8, dk_kind : 8, dk_version, dk_usable, dk_nentries}
    uint64_t words[4];
    if (!ReadSafely(address, &words)) return false;
    const uint64_t log2_index_bytes = words[1] >> 8 & 0xff;
    const uint64_t kind = words[1] >> 16 & 0xff;
    if (log2_index_bytes > 32 || kind > 2) return false;
    *keys = {address + 32 + (uint64_t{1} << log2_index_bytes), words[3], kind == 0 ? 24u : 16u};
  }
  return true;
}

// One thread's name, step by step.
class NameReader {
 public:
  NameReader(const PythonReader& reader, PythonNameScratch* scratch) noexcept
      : layout_(reader.layout), scratch_(scratch) {}

  size_t Read(uint64_t thread, uint64_t text_type, char* name) noexcept {
    text_type_ = text_type;
    trail_ = Trail();
    uint64_t type = 0;
    uint64_t text = 0;
    if (!trail_.Follow(thread + layout_.object_type, &type) || !IsPlausibleAddress(type)) return 0;
    if (!FindAttribute(thread, type, &text)) return 0;
    return CopyStable(text, name);
  }

 private:
  bool FindAttribute(uint64_t object, uint64_t type, uint64_t* value) noexcept {
    uint64_t flags = 0;
    if (!ReadSafely(type + kTypeFlags, &flags) || (flags & kHeapTypeFlag) == 0) return false;
    if (layout_.instance_dict == InstanceDict::kPointer || (flags & kManagedDictFlag) == 0) {
      int64_t offset = 0;
      uint64_t dict = 0;
      constexpr int64_t kLargest = 1 << 20;
      if (!ReadSafely(type + kTypeDictOffset, &offset) || offset < 16 || offset > kLargest) return false;
      return trail_.Follow(object + static_cast<uint64_t>(offset), &dict) && FindInDict(dict, value);
    }
    uint64_t word = 0;
    switch (layout_.instance_dict) {
      case InstanceDict::kValuesBefore:
        if (!trail_.Follow(object - 32, &word)) return false;
        if (word != 0) return FindInCachedKeys(type, word, value);
        return trail_.Follow(object - 24, &word) && FindInDict(word, value);
      case InstanceDict::kTagged:
        if (!trail_.Follow(object - 24, &word)) return false;
        return (word & 1) != 0 ? FindInCachedKeys(type, word + 1, value) : FindInDict(word, value);
      case InstanceDict::kInline:
        // {capacity : 8, size : 8, embedded : 8, valid : 8}, and then the values; only where nothing else is in
        // between.
        if ((flags & kInlineValuesFlag) != 0 && ReadSafely(object + kInlineValues, &word) && (word >> 24 & 0xff) == 1)
          return FindInCachedKeys(type, object + kInlineValues + 8, value);
        return trail_.Follow(object - 24, &word) && FindInDict(word, value);
      default:
        return false;
    }
  }

  bool FindInDict(uint64_t dict, uint64_t* value) noexcept {
    uint64_t keys = 0;
    uint64_t values = 0;
    if (!trail_.Follow(dict + kDictKeys, &keys) || !trail_.Follow(dict + kDictValues, &values)) return false;
    if (layout_.instance_dict == InstanceDict::kInline && values != 0) values += 8;
    return Find(keys, values, value);
  }

  bool FindInCachedKeys(uint64_t type, uint64_t values, uint64_t* value) noexcept {
    uint64_t keys = 0;
    return trail_.Follow(type + layout_.type_cached_keys, &keys) && Find(keys, values, value);
  }

  // `values` 0: they are with the keys.
  bool Find(uint64_t keys_address, uint64_t values, uint64_t* value) noexcept {
    Keys keys;
    if (!ReadKeys(layout_, keys_address, &keys)) return false;
    const uint64_t count = std::min(keys.count, kMostKeys);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t entry = keys.entries + i * keys.entry_bytes + (keys.entry_bytes - 16);
      uint64_t key = 0;
      if (!ReadSafely(entry, &key)) return false;
      if (!IsNameKey(key)) continue;
      return trail_.Follow(entry, &key) && trail_.Follow(values != 0 ? values + i * 8 : entry + 8, value);
    }
    return false;
  }

  bool IsNameKey(uint64_t text) noexcept {
    if (!IsPlausibleAddress(text)) return false;
    uint64_t words[7];
    if (!ReadSafely(text, &words)) return false;
    const auto at = [&](uint32_t offset) { return reinterpret_cast<const uint8_t*>(words) + offset; };
    uint32_t state;
    std::memcpy(&state, at(layout_.text_state), sizeof(state));
    return words[1] == text_type_ && words[2] == kNameKey.size() && (state >> 2 & 0x1f) == kCompactAscii &&
           std::memcmp(at(layout_.text_ascii), kNameKey.data(), kNameKey.size()) == 0;
  }

  size_t CopyStable(uint64_t text, char* name) noexcept {
    uint64_t length = 0;
    uint32_t state = 0;
    if (!IsPlausibleAddress(text) || !ReadSafely(text + layout_.text_length, &length) ||
        !ReadSafely(text + layout_.text_state, &state))
      return 0;
    const uint32_t kind = state >> 2 & 7;
    const bool is_ascii = (state >> 6 & 1) != 0;
    if ((kind != 1 && kind != 2 && kind != 4) || (state >> 5 & 1) == 0 || length > kLongestText) return 0;
    const size_t characters = std::min<uint64_t>(length, kLongestThreadName);
    // The reference count changes whenever somebody asks for the name, so what is read begins behind it.
    const uint32_t start = is_ascii ? layout_.text_ascii : layout_.text_compact;
    const size_t text_bytes = start - 8 + characters * kind;
    const size_t trail_bytes = trail_.size() * sizeof(uint64_t);
    const size_t round_bytes = trail_bytes + text_bytes;
    static_assert(kRounds * (8 * 10 + 72 + kMostThreadNameBytes) <= PythonNameScratch::kMostBytes);
    static_assert(kRounds * 11 <= PythonNameScratch::kMostRanges);
    size_t ranges = 0;
    for (size_t round = 0; round < kRounds; ++round) {
      for (size_t step = 0; step < trail_.size(); ++step) scratch_->ranges[ranges++] = trail_.RangeOf(step);
      scratch_->ranges[ranges++] = {reinterpret_cast<void*>(text + 8), text_bytes};
    }
    uint64_t references = 0;
    if (!ReadSafely(scratch_->ranges, ranges, scratch_->bytes, kRounds * round_bytes) ||
        !ReadSafely(text, &references) || references == 0 || references >> 63 != 0)
      return 0;
    const uint8_t* const first = scratch_->bytes + trail_bytes;
    for (size_t round = 0; round < kRounds; ++round) {
      const uint8_t* const words = scratch_->bytes + round * round_bytes;
      if (!trail_.IsAt(words) || !IsSameText(first, words + trail_bytes, text_bytes)) return 0;
    }
    uint64_t type;
    std::memcpy(&type, first, sizeof(type));
    uint64_t length_then;
    std::memcpy(&length_then, first + layout_.text_length - 8, sizeof(length_then));
    uint32_t state_then;
    std::memcpy(&state_then, first + layout_.text_state - 8, sizeof(state_then));
    if (type != text_type_ || length_then != length || ((state_then ^ state) >> 2 & 0x1f) != 0) return 0;
    const auto data = reinterpret_cast<uint64_t>(first + start - 8);
    return EncodePythonText({data, characters, kind}, name, kMostThreadNameBytes);
  }

  // But for the hash and whether it is interned, which are added to a str in use.
  bool IsSameText(const uint8_t* a, const uint8_t* b, size_t bytes) const noexcept {
    const uint32_t length_end = layout_.text_length - 8 + sizeof(uint64_t);
    const uint32_t content = layout_.text_ascii - 8;
    return std::memcmp(a, b, length_end) == 0 && std::memcmp(a + content, b + content, bytes - content) == 0;
  }

  static constexpr uint32_t kCompactAscii = 1 | 1 << 3 | 1 << 4;

  const PythonLayout& layout_;
  PythonNameScratch* const scratch_;
  Trail trail_;
  uint64_t text_type_ = 0;
};

// Finds the Thread object whose `_bootstrap` the calling thread's outermost frame runs, and the type of str.
bool FindThread(const PythonReader& reader, PythonNameScratch* scratch, uint64_t* thread,
                uint64_t* text_type) noexcept {
  const PythonLayout& layout = reader.layout;
  uint64_t outermost = 0;
  uint64_t frame = InnermostPythonFrame(reader);
  for (uint32_t step = 0; frame != 0; ++step) {
    if (!IsPlausibleAddress(frame) || step == kMostFrames) return false;
    const uint8_t owner = layout.frame_mark != kNoOffset ? LoadFrom<uint8_t>(frame + layout.frame_mark) : 0;
    if (layout.entry_mark != EntryMark::kShimFrame || owner < kOwnedByInterpreter) outermost = frame;
    frame = LoadFrom<uint64_t>(frame + layout.frame_previous);
  }
  if (outermost == 0) return false;
  const uint64_t code = LoadFrom<uint64_t>(outermost + layout.frame_code) & ~kStackRefTag;
  if (!IsPlausibleAddress(code) || LoadFrom<uint64_t>(code + layout.object_type) != reader.code_type) return false;
  char* const text = reinterpret_cast<char*>(scratch->bytes);
  const auto function = LoadFrom<uint64_t>(code + layout.code_name);
  size_t bytes = CopyPythonText(layout, function, text, 64);
  if (bytes == kUnreadable) return false;
  const bool is_qualified = layout.entry_mark != EntryMark::kEveryFrame;
  if (std::string_view(text, bytes) != (is_qualified ? "Thread._bootstrap" : "_bootstrap")) return false;
  bytes = CopyPythonText(layout, LoadFrom<uint64_t>(code + layout.code_file), text, sizeof(scratch->bytes));
  if (bytes == kUnreadable || !std::string_view(text, bytes).ends_with("threading.py")) return false;
  *text_type = LoadFrom<uint64_t>(function + layout.object_type);
  *thread = LoadFrom<uint64_t>(outermost + layout.frame_locals);
  return IsPlausibleAddress(*thread);
}

}  // namespace

size_t ReadPythonThreadName(const PythonReader& reader, PythonNameScratch* scratch, char* name) noexcept {
  if (reader.layout.instance_dict == InstanceDict::kUnknown) return 0;
  uint64_t thread = 0;
  uint64_t text_type = 0;
  if (!FindThread(reader, scratch, &thread, &text_type)) return 0;
  const int error = errno;
  size_t bytes = 0;
  for (int attempt = 0; attempt < kAttempts && bytes == 0; ++attempt) {
    bytes = NameReader(reader, scratch).Read(thread, text_type, name);
  }
  errno = error;
  return bytes;
}

}  // namespace migprof::record
