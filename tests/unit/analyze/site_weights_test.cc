// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/site_weights.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "libmigprof/analyze/idle_gaps.h"

namespace migprof::analyze {
namespace {

TEST(SiteWeights, AnyNumberOfKindsPerSite_EqualsAMap) {
  std::mt19937 random(3);
  SiteWeights weights;
  std::map<uint64_t, Weight> expected;
  for (int i = 0; i < 20'000; ++i) {
    const CallSiteId site = random() % 300 * (random() % 300);
    const uint32_t what = random() % (1 + site % 5);  // more than what fits beside a site, for some
    const uint64_t ns = random() % 3;                 // also nothing, which counts
    const auto [entry, is_first] = expected.try_emplace(uint64_t{site} << 32 | what);
    EXPECT_EQ(weights.Add(site, what, ns), is_first);
    entry->second.ns += ns;
    ++entry->second.count;
  }
  const SiteWeights::List list = weights.InOrder();
  ASSERT_EQ(list.size(), expected.size());
  auto entry = expected.begin();
  for (const auto& [key, weight] : list) {
    ASSERT_EQ(key, entry->first);
    EXPECT_EQ(weight.ns, entry->second.ns);
    EXPECT_EQ(weight.count, entry->second.count);
    ++entry;
  }
}

TEST(IdleBySite, GapsAreCountedByTheCausesTheyHave) {
  IdleBySite idle;
  constexpr auto kHost = static_cast<size_t>(IdleCause::kHost);
  constexpr auto kCopy = static_cast<size_t>(IdleCause::kCopy);
  IdleTimes times{};
  times[kHost] = 10;
  idle.Add(7, times);
  times[kCopy] = 5;
  idle.Add(7, times);
  idle.Add(100'000, times);
  const SiteWeights::List list = idle.InOrder();
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].first, uint64_t{7} << 32 | kHost);
  EXPECT_EQ(list[0].second.ns, 20u);
  EXPECT_EQ(list[0].second.count, 2u);
  EXPECT_EQ(list[1].first, uint64_t{7} << 32 | kCopy);
  EXPECT_EQ(list[1].second.ns, 5u);
  EXPECT_EQ(list[1].second.count, 1u);
  EXPECT_EQ(list[3].first, uint64_t{100'000} << 32 | kCopy);
  EXPECT_EQ(idle.Sum()[kHost], 30u);
  EXPECT_EQ(idle.Sum()[kCopy], 10u);
}

}  // namespace
}  // namespace migprof::analyze
