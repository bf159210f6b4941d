// SPDX-License-Identifier: Apache-2.0
// The integers of DWARF and of .eh_frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace migprof::record {

// Reads from a section of a loaded module: sound by construction, so only ends are checked.
class DwarfBytes {
 public:
  DwarfBytes(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  const uint8_t* at() const { return at_; }
  bool done() const { return at_ >= end_; }
  bool failed() const { return failed_; }

  template <typename T>
  T Get() {
    T value{};
    if (end_ - at_ < static_cast<ptrdiff_t>(sizeof(T))) return Fail(), value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  uint64_t Unsigned() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = Get<uint8_t>();
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  int64_t Signed() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const auto byte = Get<uint8_t>();
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }
  void Skip(uint64_t bytes) {
    if (bytes > static_cast<uint64_t>(end_ - at_)) return Fail();
    at_ += bytes;
  }
  void Fail() {
    failed_ = true;
    at_ = end_;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
  bool failed_ = false;
};

// Reads a pointer as .eh_frame encodes it. `of_code` false leaves the base out: only the size matters.
inline uint64_t ReadEncoded(DwarfBytes* bytes, uint8_t encoding, bool of_code) {
  constexpr uint8_t kEncodingFormat = 0x0f, kEncodingBase = 0x70, kPcRelative = 0x10;
  const auto base = of_code && (encoding & kEncodingBase) == kPcRelative ? reinterpret_cast<uint64_t>(bytes->at()) : 0;
  switch (encoding & kEncodingFormat) {
    case 0x00:  // absptr
    case 0x04:  // udata8
    case 0x0c:  // sdata8
      return base + bytes->Get<uint64_t>();
    case 0x01:
      return base + bytes->Unsigned();
    case 0x02:
      return base + bytes->Get<uint16_t>();
    case 0x03:
      return base + bytes->Get<uint32_t>();
    case 0x09:
      return base + bytes->Signed();
    case 0x0a:
      return base + static_cast<int64_t>(bytes->Get<int16_t>());
    case 0x0b:
      return base + static_cast<int64_t>(bytes->Get<int32_t>());
    default:
      bytes->Fail();
      return 0;
  }
}

}  // namespace migprof::record
