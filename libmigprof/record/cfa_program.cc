// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/cfa_program.h"

#include <cstring>

#include "libmigprof/record/dwarf_bytes.h"

namespace migprof::record {
namespace {

constexpr uint8_t kRbp = 6, kRsp = 7, kReturnAddress = 16;  // DWARF register numbers of x86-64

// A place that a one-register DWARF expression names: register + offset, or what memory holds there.
struct Place {
  bool known = false;
  uint8_t base = 0;
  int64_t offset = 0;
  bool in_memory = false;
};

struct RegisterRule {
  enum class How : uint8_t { kUnset, kUndefined, kSame, kAtCfa, kAtPlace, kOther };
  How how = How::kUnset;
  int64_t offset = 0;  // kAtCfa
  Place place;         // kAtPlace
};

struct Row {
  bool cfa_is_place = false;
  uint64_t cfa_register = 0;
  int64_t cfa_offset = 0;
  Place cfa_place;
  RegisterRule rbp, rsp, return_address;

  RegisterRule* Of(uint64_t dwarf_register) {
    switch (dwarf_register) {
      case kRbp:
        return &rbp;
      case kRsp:
        return &rsp;
      case kReturnAddress:
        return &return_address;
      default:
        return nullptr;  // the others do not matter
    }
  }
};

// DW_OP_bregN offset, perhaps followed by DW_OP_deref: what compilers emit for realigned frames and libc for signals.
Place ReadPlace(DwarfBytes* bytes) {
  constexpr uint8_t kBreg0 = 0x70, kBreg31 = 0x8f, kDeref = 0x06;
  const uint64_t size = bytes->Unsigned();
  const uint8_t* const begin = bytes->at();
  bytes->Skip(size);
  if (bytes->failed()) return {};
  DwarfBytes expression(begin, bytes->at());
  const auto first = expression.Get<uint8_t>();
  if (first < kBreg0 || first > kBreg31) return {};
  Place place{.known = true, .base = static_cast<uint8_t>(first - kBreg0), .offset = expression.Signed()};
  if (!expression.done()) {
    place.in_memory = expression.Get<uint8_t>() == kDeref;
    if (!place.in_memory || !expression.done()) return {};
  }
  return expression.failed() ? Place{} : place;
}

struct CommonEntry {
  uint64_t code_alignment = 1;
  int64_t data_alignment = 1;
  uint8_t pointer_encoding = 0;
  bool has_augmentation = false;
  bool is_signal_frame = false;
  const uint8_t* program = nullptr;
  const uint8_t* end = nullptr;
};

bool ReadCommonEntry(const uint8_t* entry, CommonEntry* common) {
  uint32_t length;
  std::memcpy(&length, entry, sizeof(length));
  if (length == 0 || length == 0xffffffff) return false;
  DwarfBytes bytes(entry + 8, entry + 4 + length);
  common->end = entry + 4 + length;
  const auto version = bytes.Get<uint8_t>();
  if (version != 1 && version != 3) return false;
  const char* augmentation = reinterpret_cast<const char*>(bytes.at());
  while (bytes.Get<char>() != '\0') {
  }
  common->code_alignment = bytes.Unsigned();
  common->data_alignment = bytes.Signed();
  if ((version == 1 ? bytes.Get<uint8_t>() : bytes.Unsigned()) != kReturnAddress) return false;
  if (*augmentation == 'z') {
    common->has_augmentation = true;
    const uint64_t size = bytes.Unsigned();
    const uint8_t* const data = bytes.at();
    bytes.Skip(size);
    if (bytes.failed()) return false;
    DwarfBytes details(data, bytes.at());
    for (++augmentation; *augmentation != '\0'; ++augmentation) {
      if (*augmentation == 'R') {
        common->pointer_encoding = details.Get<uint8_t>();
      } else if (*augmentation == 'P') {
        const auto encoding = details.Get<uint8_t>();
        ReadEncoded(&details, encoding, /*of_code=*/false);
      } else if (*augmentation == 'L') {
        details.Get<uint8_t>();
      } else if (*augmentation == 'S') {
        common->is_signal_frame = true;
      } else {
        return false;
      }
    }
    if (details.failed()) return false;
  } else if (*augmentation != '\0') {
    return false;
  }
  common->program = bytes.at();
  return !bytes.failed();
}

// Executes call frame instructions until `location` would pass `pc`. False: an instruction that is not understood.
class Program {
 public:
  Program(const CommonEntry& common, uint64_t location, uint64_t pc) : common_(common), location_(location), pc_(pc) {}

  bool Run(const uint8_t* begin, const uint8_t* end, Row* row, const Row* initial);

 private:
  bool RunExtended(uint8_t instruction, DwarfBytes* bytes, Row* row, const Row* initial);
  // Offsets are stored divided by the data alignment. Those that do not fit wrap around, to be refused later or not: no
  // compiler writes any.
  int64_t Scaled(uint64_t factor) const {
    return static_cast<int64_t>(factor * static_cast<uint64_t>(common_.data_alignment));
  }
  bool Advance(uint64_t delta) {
    location_ += delta * common_.code_alignment;
    return location_ <= pc_;
  }
  static void Set(Row* row, uint64_t dwarf_register, const RegisterRule& rule) {
    if (RegisterRule* of = row->Of(dwarf_register)) *of = rule;
  }
  static void Restore(Row* row, const Row* initial, uint64_t dwarf_register) {
    if (initial == nullptr) return;
    Row copy = *initial;
    if (RegisterRule* of = row->Of(dwarf_register)) *of = *copy.Of(dwarf_register);
  }

  static constexpr int kMaxRemembered = 8;
  const CommonEntry& common_;
  uint64_t location_;
  uint64_t pc_;
  bool past_ = false;
  Row remembered_[kMaxRemembered];
  int remembered_count_ = 0;
};

bool Program::Run(const uint8_t* begin, const uint8_t* end, Row* row, const Row* initial) {
  DwarfBytes bytes(begin, end);
  while (!bytes.done() && !past_) {
    const auto instruction = bytes.Get<uint8_t>();
    const uint8_t operand = instruction & 0x3f;
    switch (instruction >> 6) {
      case 1:
        past_ = !Advance(operand);
        break;
      case 2:
        Set(row, operand, {RegisterRule::How::kAtCfa, Scaled(bytes.Unsigned()), {}});
        break;
      case 3:
        Restore(row, initial, operand);
        break;
      default:
        if (!RunExtended(instruction, &bytes, row, initial)) return false;
    }
  }
  return !bytes.failed();
}

bool Program::RunExtended(uint8_t instruction, DwarfBytes* bytes, Row* row, const Row* initial) {
  using How = RegisterRule::How;
  switch (instruction) {
    case 0x00:  // nop
      return true;
    case 0x01:  // set_loc
      location_ = ReadEncoded(bytes, common_.pointer_encoding, /*of_code=*/true);
      past_ = location_ > pc_;
      return true;
    case 0x02:  // advance_loc1
      past_ = !Advance(bytes->Get<uint8_t>());
      return true;
    case 0x03:
      past_ = !Advance(bytes->Get<uint16_t>());
      return true;
    case 0x04:
      past_ = !Advance(bytes->Get<uint32_t>());
      return true;
    case 0x05: {  // offset_extended
      const uint64_t which = bytes->Unsigned();
      Set(row, which, {How::kAtCfa, Scaled(bytes->Unsigned()), {}});
      return true;
    }
    case 0x06:  // restore_extended
      Restore(row, initial, bytes->Unsigned());
      return true;
    case 0x07:  // undefined
      Set(row, bytes->Unsigned(), {How::kUndefined, 0, {}});
      return true;
    case 0x08:  // same_value
      Set(row, bytes->Unsigned(), {How::kSame, 0, {}});
      return true;
    case 0x09: {  // register
      const uint64_t which = bytes->Unsigned();
      bytes->Unsigned();
      Set(row, which, {How::kOther, 0, {}});
      return true;
    }
    case 0x0a:  // remember_state
      if (remembered_count_ == kMaxRemembered) return false;
      remembered_[remembered_count_++] = *row;
      return true;
    case 0x0b:  // restore_state
      if (remembered_count_ == 0) return false;
      *row = remembered_[--remembered_count_];
      return true;
    case 0x0c:  // def_cfa
      row->cfa_is_place = false;
      row->cfa_register = bytes->Unsigned();
      row->cfa_offset = static_cast<int64_t>(bytes->Unsigned());
      return true;
    case 0x0d:  // def_cfa_register
      row->cfa_is_place = false;
      row->cfa_register = bytes->Unsigned();
      return true;
    case 0x0e:  // def_cfa_offset
      row->cfa_offset = static_cast<int64_t>(bytes->Unsigned());
      return true;
    case 0x0f:  // def_cfa_expression
      row->cfa_is_place = true;
      row->cfa_place = ReadPlace(bytes);
      return true;
    case 0x10: {  // expression
      const uint64_t which = bytes->Unsigned();
      const Place place = ReadPlace(bytes);
      Set(row, which, {place.known ? How::kAtPlace : How::kOther, 0, place});
      return true;
    }
    case 0x11: {  // offset_extended_sf
      const uint64_t which = bytes->Unsigned();
      Set(row, which, {How::kAtCfa, Scaled(static_cast<uint64_t>(bytes->Signed())), {}});
      return true;
    }
    case 0x12:  // def_cfa_sf
      row->cfa_is_place = false;
      row->cfa_register = bytes->Unsigned();
      row->cfa_offset = Scaled(static_cast<uint64_t>(bytes->Signed()));
      return true;
    case 0x13:  // def_cfa_offset_sf
      row->cfa_offset = Scaled(static_cast<uint64_t>(bytes->Signed()));
      return true;
    case 0x14:    // val_offset
    case 0x15: {  // val_offset_sf
      const uint64_t which = bytes->Unsigned();
      bytes->Unsigned();
      Set(row, which, {How::kOther, 0, {}});
      return true;
    }
    case 0x16: {  // val_expression
      const uint64_t which = bytes->Unsigned();
      ReadPlace(bytes);
      Set(row, which, {How::kOther, 0, {}});
      return true;
    }
    case 0x2e:  // GNU_args_size
      bytes->Unsigned();
      return true;
    default:
      return false;
  }
}

constexpr UnwindRule kUnknown{.kind = UnwindRule::Kind::kUnknown};

// What glibc and the kernel agree on: the interrupted registers lie at these distances from the stack pointer.
bool IsKernelSignalFrame(const Row& row) {
  const auto at = [](const RegisterRule& rule, int64_t offset) {
    return rule.how == RegisterRule::How::kAtPlace && rule.place.base == kRsp && rule.place.offset == offset &&
           !rule.place.in_memory;
  };
  return row.cfa_is_place && row.cfa_place.known && row.cfa_place.base == kRsp && row.cfa_place.offset == 160 &&
         row.cfa_place.in_memory && at(row.rbp, 120) && at(row.return_address, 168);
}

UnwindRule RuleOfRow(const Row& row) {
  using How = RegisterRule::How;
  if (row.return_address.how == How::kUndefined) return {.kind = UnwindRule::Kind::kEnd};
  if (row.return_address.how != How::kAtCfa || row.return_address.offset != -8) return kUnknown;
  if (row.rsp.how != How::kUnset) return kUnknown;
  UnwindRule rule{.kind = UnwindRule::Kind::kStandard};
  int64_t cfa_offset = row.cfa_offset;
  if (row.cfa_is_place) {
    if (!row.cfa_place.known || row.cfa_place.base != kRbp || !row.cfa_place.in_memory) return kUnknown;
    rule.cfa = UnwindRule::Cfa::kFramePointerMemory;
    cfa_offset = row.cfa_place.offset;
  } else if (row.cfa_register == kRsp || row.cfa_register == kRbp) {
    rule.cfa = row.cfa_register == kRsp ? UnwindRule::Cfa::kStackPointer : UnwindRule::Cfa::kFramePointer;
  } else {
    return kUnknown;
  }
  int64_t rbp_offset = 0;
  switch (row.rbp.how) {
    case How::kUnset:
    case How::kSame:
    case How::kUndefined:
      break;
    case How::kAtCfa:
      rule.rbp = UnwindRule::SavedRbp::kAtCfa;
      rbp_offset = row.rbp.offset;
      break;
    case How::kAtPlace:
      if (row.rbp.place.base != kRbp || row.rbp.place.in_memory) return kUnknown;
      rule.rbp = UnwindRule::SavedRbp::kAtFramePointer;
      rbp_offset = row.rbp.place.offset;
      break;
    case How::kOther:
      return kUnknown;
  }
  if (cfa_offset > UnwindRule::kMaxCfaOffset || cfa_offset < -UnwindRule::kMaxCfaOffset) return kUnknown;
  if (rbp_offset > UnwindRule::kMaxRbpOffset || rbp_offset < -UnwindRule::kMaxRbpOffset) return kUnknown;
  rule.cfa_offset = static_cast<int32_t>(cfa_offset);
  rule.rbp_offset = static_cast<int32_t>(rbp_offset);
  return rule;
}

}  // namespace

UnwindRule RuleOfEntry(const uint8_t* entry, uint64_t pc) noexcept {
  uint32_t length;
  int32_t to_common;
  std::memcpy(&length, entry, sizeof(length));
  std::memcpy(&to_common, entry + 4, sizeof(to_common));
  if (length == 0 || length == 0xffffffff || to_common == 0) return kUnknown;
  CommonEntry common;
  if (!ReadCommonEntry(entry + 4 - to_common, &common)) return kUnknown;
  DwarfBytes bytes(entry + 8, entry + 4 + length);
  const uint64_t begin = ReadEncoded(&bytes, common.pointer_encoding, /*of_code=*/true);
  const uint64_t size = ReadEncoded(&bytes, common.pointer_encoding, /*of_code=*/false);
  if (bytes.failed()) return kUnknown;
  if (pc - begin >= size) return {.kind = UnwindRule::Kind::kFramePointer};  // between two functions
  if (common.has_augmentation) bytes.Skip(bytes.Unsigned());
  Row initial;
  Program start(common, begin, pc);
  if (!start.Run(common.program, common.end, &initial, nullptr)) return kUnknown;
  Row row = initial;
  Program program(common, begin, pc);
  if (bytes.failed() || !program.Run(bytes.at(), entry + 4 + length, &row, &initial)) return kUnknown;
  if (common.is_signal_frame)
    return IsKernelSignalFrame(row) ? UnwindRule{.kind = UnwindRule::Kind::kSignal} : kUnknown;
  return RuleOfRow(row);
}

}  // namespace migprof::record
