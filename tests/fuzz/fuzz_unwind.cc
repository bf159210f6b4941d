// SPDX-License-Identifier: Apache-2.0
// Unwind information: an .eh_frame of one common entry and a few functions whose lengths, pointers and search table are
// right, and whose augmentations and call frame programs are the input's. Every entry lies in memory of its own, so
// that reading past it is found.
#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/record/cfa_program.h"
#include "libmigprof/record/unwind_info.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::record;
using Kind = UnwindRule::Kind;

constexpr uint64_t kCodeBytes = 256;  // of a function

// Memory where entries and code are near each other, as they are in a module: 32 bits must reach from one to the other.
// The entries are put against the end of pages after which there is nothing.
class Module {
 public:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kEntryPages = 16;

  Module() {
    constexpr size_t kBytes = kPage * (2 + 2 * kEntryPages);  // code, header, and an entry and a guard each
    memory_ = static_cast<uint8_t*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    Check(memory_ != MAP_FAILED, "there is memory for a module");
    for (size_t i = 0; i < kEntryPages; ++i) {
      Check(mprotect(memory_ + kPage * (3 + 2 * i), kPage, PROT_NONE) == 0, "pages can be guarded");
    }
  }
  uint8_t* code() { return memory_; }
  uint8_t* header() { return memory_ + kPage; }
  // Where entry `index` of `size` bytes begins.
  uint8_t* Entry(size_t index, size_t size) { return memory_ + kPage * (3 + 2 * index) - size; }

 private:
  uint8_t* memory_;
};

class Bytes {
 public:
  template <typename T>
  void Put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void Put(std::string_view text) { text_ += text; }
  void PutUnsigned(uint64_t value) {
    do {
      Put(static_cast<uint8_t>((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
    } while ((value >>= 7) != 0);
  }
  size_t size() const { return text_.size(); }
  std::string_view text() const { return text_; }
  // Behind a length and, in a function's entry, the way to the common one, which is null for that one itself.
  uint8_t* PlaceEntry(Module* module, size_t index, const uint8_t* common) const {
    uint8_t* const at = module->Entry(index, text_.size() + 8);
    const uint32_t length = static_cast<uint32_t>(text_.size() + 4);
    const uint32_t id = common != nullptr ? static_cast<uint32_t>(at + 4 - common) : 0;
    std::memcpy(at, &length, 4);
    std::memcpy(at + 4, &id, 4);
    std::memcpy(at + 8, text_.data(), text_.size());
    return at;
  }

 private:
  std::string text_;
};

// What a compiler writes before a program, or anything. Whether functions say where they are as compilers let them.
bool PutCommon(FuzzInput* input, Bytes* bytes) {
  const uint8_t style = input->Byte();
  bytes->Put<uint8_t>(style % 16 == 15 ? input->Byte() : (style % 2 == 0 ? 1 : 3));
  if (style % 8 == 7) return bytes->Put(input->Text(64)), false;
  constexpr const char* kAugmentations[] = {"zR", "zRS", "zPLR", "", "zR", "zL", "zRS"};
  const std::string_view augmentation = kAugmentations[style / 16 % std::size(kAugmentations)];
  bytes->Put(augmentation);
  bytes->Put<uint8_t>(0);
  bytes->PutUnsigned(style % 4 == 3 ? input->Number<uint64_t>() : 1);
  if (style % 4 == 2) {
    bytes->PutUnsigned(input->Number<uint64_t>());  // read as a signed one
  } else {
    bytes->Put<uint8_t>(0x78);  // -8
  }
  bytes->Put<uint8_t>(16);  // the return address
  if (augmentation.empty()) return false;
  Bytes details;
  for (const char letter : augmentation.substr(1)) {
    if (letter == 'S') continue;
    details.Put<uint8_t>(letter == 'R' && style % 8 == 6 ? input->Byte() : 0x1b);
    if (letter == 'P') details.Put<uint32_t>(0);
  }
  bytes->PutUnsigned(details.size());
  bytes->Put(details.text());
  return style % 8 != 6 && augmentation.find('R') != std::string_view::npos;
}

void CheckRule(const UnwindRule& rule) {
  Check(rule.kind != Kind::kNone, "there is an answer");
  if (rule.kind != Kind::kStandard) {
    Check(rule == UnwindRule{.kind = rule.kind}, "only a standard rule has fields");
    return;
  }
  Check(rule.cfa_offset <= UnwindRule::kMaxCfaOffset && rule.cfa_offset >= -UnwindRule::kMaxCfaOffset &&
            rule.saved_offset <= UnwindRule::kMaxSavedOffset && rule.saved_offset >= -UnwindRule::kMaxSavedOffset,
        "distances fit into a rule");
  Check(rule.saved != UnwindRule::Saved::kNothing || rule.saved_offset == 0, "no distance without a place");
  Check(UnwindRule::Unpack(rule.Pack(77)) == rule, "a rule fits into a word");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return 0;
  static Module module;
  FuzzInput input(data, size);
  std::memset(module.code(), input.Byte(), kCodeBytes * Module::kEntryPages + 64);

  Bytes common_bytes;
  const bool is_usual = PutCommon(&input, &common_bytes);
  common_bytes.Put(input.ShortText());
  const uint8_t* const common = common_bytes.PlaceEntry(&module, 0, nullptr);

  const size_t functions = 1 + input.Byte() % (Module::kEntryPages - 1);
  std::vector<const uint8_t*> entries;
  for (size_t i = 0; i < functions; ++i) {
    const bool is_last = i + 1 == functions;
    const uint8_t* const begin = module.code() + kCodeBytes * i;
    const std::string_view program = is_last ? input.Rest() : input.ShortText();
    const size_t entry_bytes = 8 + 8 + program.size();
    Bytes bytes;
    bytes.Put(static_cast<int32_t>(begin - (module.Entry(i + 1, entry_bytes) + 8)));
    bytes.Put(static_cast<uint32_t>(kCodeBytes - 16));  // a gap after each function
    bytes.Put(program);
    entries.push_back(bytes.PlaceEntry(&module, i + 1, common));
  }

  uint8_t* const header = module.header();
  const auto put = [header](size_t offset, uint32_t value) { std::memcpy(header + offset, &value, sizeof(value)); };
  put(0, 0x3b031b01);
  put(4, 0);
  put(8, static_cast<uint32_t>(functions));
  for (size_t i = 0; i < functions; ++i) {
    put(12 + 8 * i, static_cast<uint32_t>(module.code() + kCodeBytes * i - header));
    put(16 + 8 * i, static_cast<uint32_t>(entries[i] - header));
  }

  for (size_t i = 0; i < functions; ++i) {
    const auto begin = reinterpret_cast<uint64_t>(module.code()) + kCodeBytes * i;
    for (const uint64_t offset : {0, 1, 2, 17, 64, 239, 240, 255}) {
      const UnwindRule rule = RuleOfEntry(entries[i], begin + offset);
      CheckRule(rule);
      Check(RuleOfEntry(entries[i], begin + offset) == rule, "an entry always says the same");
      Check(ReadUnwindRule(header, begin + offset, /*exact=*/true) == rule, "the table leads to the entry");
      CheckRule(ReadUnwindRule(header, begin + offset, /*exact=*/false));
      if (is_usual && offset >= kCodeBytes - 16) {
        Check(rule.kind == Kind::kFramePointer || rule.kind == Kind::kUnknown, "no rule where no function is");
      }
      if (offset > 0) {
        const UnwindRule at_return = ReadUnwindRule(header, begin + offset + 1, /*exact=*/false);
        if (offset + 1 < kCodeBytes) Check(at_return == rule, "a return address belongs to the call before it");
      }
    }
  }
  return 0;
}
