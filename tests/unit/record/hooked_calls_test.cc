// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/hooked_calls.h"

#include <cupti.h>
#include <gtest/gtest.h>

#include <set>

namespace migprof::record {
namespace {

// The numbers in the table are those of the header, as far as this header knows the call.
#if CUPTI_API_VERSION >= 130000
#define MIGPROF_SAME_NUMBER(id, name, call_class) static_assert(CUPTI_DRIVER_TRACE_CBID_##name == (id));
MIGPROF_HOOKED_CALLS(MIGPROF_SAME_NUMBER)
MIGPROF_GRAPH_CALLS(MIGPROF_SAME_NUMBER)
#undef MIGPROF_SAME_NUMBER
#endif

TEST(HookedCalls, NoCall_IsListedTwice) {
  std::set<uint32_t> ids;
  for (const HookedCall& call : kHookedCalls) EXPECT_TRUE(ids.insert(call.callback_id).second) << call.name;
}

TEST(PublicName, Suffixes_AreLeftOut) {
  EXPECT_EQ(PublicName("cuLaunchKernel"), "cuLaunchKernel");
  EXPECT_EQ(PublicName("cuLaunchKernel_ptsz"), "cuLaunchKernel");
  EXPECT_EQ(PublicName("cuMemcpyHtoD_v2"), "cuMemcpyHtoD");
  EXPECT_EQ(PublicName("cuMemcpyHtoDAsync_v2_ptsz"), "cuMemcpyHtoDAsync");
  EXPECT_EQ(PublicName("cuMemcpyHtoD_v2_ptds"), "cuMemcpyHtoD");
}

}  // namespace
}  // namespace migprof::record
