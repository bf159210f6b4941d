// SPDX-License-Identifier: Apache-2.0
// NVTX's own headers against our idea of them: this program is injected statically.
#include "libmigprof/record/nvtx_ranges.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "libmigprof/record/range_stack.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

namespace nvtx = migprof::record::nvtx;
static_assert(sizeof(nvtxEventAttributes_t) == sizeof(nvtx::EventAttributes));
static_assert(offsetof(nvtxEventAttributes_t, messageType) == offsetof(nvtx::EventAttributes, message_type));
static_assert(offsetof(nvtxEventAttributes_t, message) == offsetof(nvtx::EventAttributes, message));
static_assert(static_cast<int>(NVTX_MESSAGE_TYPE_REGISTERED) == nvtx::kRegistered);
static_assert(static_cast<unsigned>(NVTX_CBID_CORE_RangePop) == nvtx::kRangePop);
static_assert(static_cast<unsigned>(NVTX_CBID_CORE_RangeStartEx) == nvtx::kRangeStartEx);
static_assert(static_cast<unsigned>(NVTX_CBID_CORE2_DomainCreateW) == nvtx::kDomainCreateW);
static_assert(static_cast<unsigned>(NVTX_CBID_CORE2_DomainRangePop) == nvtx::kDomainRangePop);
static_assert(static_cast<int>(NVTX_CB_MODULE_CORE2) == nvtx::kModuleCore2);

namespace migprof::record {
namespace {

// What NVTX calls at its first use when no library is named.
const bool g_injected = [] {
  InitializeInjectionNvtx2_fnptr = [](NvtxGetExportTableFunc_t get_export_table) {
    return AttachNvtx(get_export_table) ? 1 : 0;
  };
  return true;
}();

std::vector<std::string> Open() {
  std::vector<std::string> names;
  RangeStack* const stack = RangeStack::MineIfAny();
  if (stack == nullptr) return names;
  stack->Top();
  for (uint32_t i = 0; i < stack->depth(); ++i) {
    const RangeStack::Range& range = (*stack)[i];
    const std::string domain(range.domain != nullptr ? range.domain->text() : "");
    names.push_back((domain.empty() ? "" : domain + ": ") + std::string(range.text, range.length));
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(NvtxRanges, EveryWayToOpenARange) {
  ASSERT_TRUE(g_injected);
  std::thread([] {
    EXPECT_EQ(nvtxRangePushA("a"), 0);
    EXPECT_EQ(nvtxRangePushW(L"\u00fc\u20ac\U0001F600"), 1);
    nvtxEventAttributes_t attributes = {};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    EXPECT_EQ(nvtxRangePushEx(&attributes), 2);
    EXPECT_EQ(Open(), (Names{"a", "\u00fc\u20ac\U0001F600", "[unnamed range]"}));
    EXPECT_EQ(nvtxRangePop(), 2);
    EXPECT_EQ(nvtxRangePop(), 1);
    const nvtxRangeId_t id = nvtxRangeStartW(L"started");
    attributes.messageType = NVTX_MESSAGE_TYPE_UNICODE;
    attributes.message.unicode = L"wide";
    const nvtxRangeId_t other = nvtxRangeStartEx(&attributes);
    EXPECT_EQ(Open(), (Names{"a", "started", "wide"}));
    nvtxRangeEnd(id);
    nvtxRangeEnd(other);
    EXPECT_EQ(Open(), Names{"a"});
    nvtxRangePop();
  }).join();
}

TEST(NvtxRanges, DomainsAndRegisteredStrings) {
  std::thread([] {
    const nvtxDomainHandle_t domain = nvtxDomainCreateW(L"lib");
    nvtxEventAttributes_t attributes = {};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    attributes.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    attributes.message.registered = nvtxDomainRegisterStringA(domain, "kept");
    nvtxRangePushA("plain");
    EXPECT_EQ(nvtxDomainRangePushEx(domain, &attributes), 0);
    const nvtxRangeId_t id = nvtxDomainRangeStartEx(domain, &attributes);
    EXPECT_EQ(Open(), (Names{"plain", "lib: kept", "lib: kept"}));
    nvtxDomainRangeEnd(domain, id);
    EXPECT_EQ(nvtxDomainRangePop(domain), 0);
    EXPECT_EQ(Open(), Names{"plain"});
    nvtxRangePop();
    nvtxDomainDestroy(domain);
    nvtxMarkA("ignored");
    nvtxNameCategoryA(3, "ignored");
  }).join();
}

}  // namespace
}  // namespace migprof::record
#endif
