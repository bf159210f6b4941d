// SPDX-License-Identifier: Apache-2.0
// What NVTX version 3 and a tool agree on, written from its public headers so that none are needed to build.
#pragma once

#include <cstddef>
#include <cstdint>

namespace migprof::record::nvtx {

inline constexpr uint32_t kExportTableCallbacks = 1;
inline constexpr int kModuleCore = 1;
inline constexpr int kModuleCore2 = 5;

enum CoreCallback : unsigned {
  kRangeStartEx = 4,
  kRangeStartA = 5,
  kRangeStartW = 6,
  kRangeEnd = 7,
  kRangePushEx = 8,
  kRangePushA = 9,
  kRangePushW = 10,
  kRangePop = 11,
};
enum Core2Callback : unsigned {
  kDomainRangeStartEx = 2,
  kDomainRangeEnd = 3,
  kDomainRangePushEx = 4,
  kDomainRangePop = 5,
  kDomainRegisterStringA = 10,
  kDomainRegisterStringW = 11,
  kDomainCreateA = 12,
  kDomainCreateW = 13,
};

enum MessageType : int32_t { kAscii = 1, kUnicode = 2, kRegistered = 3 };

// nvtxEventAttributes_t
struct EventAttributes {
  uint16_t version;
  uint16_t size;
  uint32_t category;
  int32_t color_type;
  uint32_t color;
  int32_t payload_type;
  int32_t reserved;
  uint64_t payload;
  int32_t message_type;
  const void* message;
};
static_assert(sizeof(EventAttributes) == 48 && offsetof(EventAttributes, message) == 40);

using Function = void (*)();

// NvtxExportTableCallbacks
struct ExportTableCallbacks {
  size_t struct_size;
  int (*get_module_function_table)(int module, Function*** table, unsigned* size);
};

using GetExportTable = const void* (*)(uint32_t id);

}  // namespace migprof::record::nvtx
