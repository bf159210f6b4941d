// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/nvtx_ranges.h"

#include <cstring>
#include <iterator>
#include <string_view>

#include "libmigprof/record/range_stack.h"

namespace migprof::record {
namespace {

constexpr std::string_view kUnnamed = "[unnamed range]";

// A name as the application gave it, as UTF-8 of limited length.
class Name {
 public:
  explicit Name(const char* text) : text_(text != nullptr ? std::string_view(text, Length(text)) : kUnnamed) {}
  explicit Name(const wchar_t* text) : text_(kUnnamed) {
    if (text == nullptr) return;
    size_t length = 0;
    for (; *text != L'\0' && length + 4 <= sizeof(bytes_); ++text)
      length += Encode(static_cast<uint32_t>(*text), length);
    text_ = {bytes_, length};
  }
  explicit Name(const nvtx::EventAttributes* attributes) : text_(kUnnamed) {
    // The message is the last field of the second version; the first has it at the same place.
    if (attributes == nullptr || attributes->message == nullptr || attributes->size < sizeof(*attributes)) return;
    switch (attributes->message_type) {
      case nvtx::kAscii:
        *this = Name(static_cast<const char*>(attributes->message));
        break;
      case nvtx::kUnicode: {
        const Name wide(static_cast<const wchar_t*>(attributes->message));
        std::memcpy(bytes_, wide.bytes_, sizeof(bytes_));
        text_ = {bytes_, wide.text_.size()};
        break;
      }
      case nvtx::kRegistered:
        text_ = static_cast<const RangeText*>(attributes->message)->text();
        break;
      default:
        break;
    }
  }
  Name(const Name&) = delete;

  std::string_view text() const { return text_; }

 private:
  Name& operator=(Name&& other) {
    text_ = other.text_;  // of a text that is not in `bytes_`
    return *this;
  }

  static size_t Length(const char* text) { return strnlen(text, RangeStack::kMostText); }

  size_t Encode(uint32_t code, size_t at) {
    char* const out = bytes_ + at;
    if (code < 0x80) return out[0] = static_cast<char>(code), 1;
    const size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr unsigned char kFirst[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = static_cast<char>(kFirst[more] | (code >> 6 * more & (0x7f >> (more + 1))));
    for (size_t i = 1; i <= more; ++i) out[i] = static_cast<char>(0x80 | (code >> 6 * (more - i) & 0x3f));
    return more + 1;
  }

  std::string_view text_;
  char bytes_[RangeStack::kMostText];
};

int Push(const RangeText* domain, const Name& name) {
  RangeStack* const stack = RangeStack::Mine();
  return stack != nullptr ? stack->Push(domain, name.text()) : 0;
}

int Pop(const RangeText* domain) {
  RangeStack* const stack = RangeStack::MineIfAny();
  return stack != nullptr ? stack->Pop(domain) : -1;
}

uint64_t Start(const RangeText* domain, const Name& name) {
  RangeStack* const stack = RangeStack::Mine();
  return stack != nullptr ? stack->Start(domain, name.text()) : 0;
}

// Handles of domains and of registered strings are never null: that is the default domain's.
const RangeText* Keep(const Name& name) {
  static const RangeText kFull = {kUnnamed.size(), "[unnamed range]"};
  const RangeText* const kept = KeepRangeText(name.text());
  return kept != nullptr ? kept : &kFull;
}

using Attributes = nvtx::EventAttributes;
using Domain = const RangeText*;

template <typename Pointer>
nvtx::Function Cast(Pointer function) {
  return reinterpret_cast<nvtx::Function>(function);
}

struct Entry {
  unsigned id;
  nvtx::Function function;
};

bool Fill(const nvtx::ExportTableCallbacks& callbacks, int module, const Entry* entries, size_t count) {
  nvtx::Function** table = nullptr;
  unsigned size = 0;
  if (callbacks.get_module_function_table(module, &table, &size) == 0 || table == nullptr) return false;
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].id < size && table[entries[i].id] != nullptr) *table[entries[i].id] = entries[i].function;
  }
  return true;
}

}  // namespace

bool AttachNvtx(nvtx::GetExportTable get_export_table) noexcept {
  if (get_export_table == nullptr) return false;
  const auto* callbacks = static_cast<const nvtx::ExportTableCallbacks*>(get_export_table(nvtx::kExportTableCallbacks));
  if (callbacks == nullptr || callbacks->struct_size < sizeof(*callbacks)) return false;
  const Entry core[] = {
      {nvtx::kRangePushA, Cast(+[](const char* name) { return Push(nullptr, Name(name)); })},
      {nvtx::kRangePushW, Cast(+[](const wchar_t* name) { return Push(nullptr, Name(name)); })},
      {nvtx::kRangePushEx, Cast(+[](const Attributes* attributes) { return Push(nullptr, Name(attributes)); })},
      {nvtx::kRangePop, Cast(+[]() { return Pop(nullptr); })},
      {nvtx::kRangeStartA, Cast(+[](const char* name) { return Start(nullptr, Name(name)); })},
      {nvtx::kRangeStartW, Cast(+[](const wchar_t* name) { return Start(nullptr, Name(name)); })},
      {nvtx::kRangeStartEx, Cast(+[](const Attributes* attributes) { return Start(nullptr, Name(attributes)); })},
      {nvtx::kRangeEnd, Cast(+[](uint64_t id) { RangeStack::End(id); })},
  };
  const Entry core2[] = {
      {nvtx::kDomainRangePushEx,
       Cast(+[](Domain domain, const Attributes* attributes) { return Push(domain, Name(attributes)); })},
      {nvtx::kDomainRangePop, Cast(+[](Domain domain) { return Pop(domain); })},
      {nvtx::kDomainRangeStartEx,
       Cast(+[](Domain domain, const Attributes* attributes) { return Start(domain, Name(attributes)); })},
      {nvtx::kDomainRangeEnd, Cast(+[](Domain, uint64_t id) { RangeStack::End(id); })},
      {nvtx::kDomainRegisterStringA, Cast(+[](Domain, const char* text) { return Keep(Name(text)); })},
      {nvtx::kDomainRegisterStringW, Cast(+[](Domain, const wchar_t* text) { return Keep(Name(text)); })},
      {nvtx::kDomainCreateA, Cast(+[](const char* name) { return Keep(Name(name)); })},
      {nvtx::kDomainCreateW, Cast(+[](const wchar_t* name) { return Keep(Name(name)); })},
  };
  const bool has_core = Fill(*callbacks, nvtx::kModuleCore, core, std::size(core));
  return Fill(*callbacks, nvtx::kModuleCore2, core2, std::size(core2)) || has_core;
}

}  // namespace migprof::record
