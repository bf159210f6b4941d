// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/device_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace migprof::analyze {
namespace {

using testing::ElementsAre;
using testing::Pair;

class DeviceMemoryTest : public testing::Test {
 protected:
  void Allocate(uint64_t time, uint64_t address, uint64_t bytes, uint32_t site = 1, uint32_t process = 0) {
    memory_.Add(
        {.time_ns = time, .address = address, .bytes = bytes, .order = ++order_, .process = process, .site = site});
  }
  void Release(uint64_t time, uint64_t address, uint32_t process = 0) {
    memory_.Add({.time_ns = time, .address = address, .order = ++order_, .process = process, .is_release = true});
  }
  const MemoryUse& Finish() {
    memory_.SettleBefore(UINT64_MAX);
    return memory_.Finish();
  }
  std::map<uint32_t, std::pair<uint64_t, uint64_t>> AtPeak(uint32_t process = 0) const {
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> sites;
    memory_.ForEachAtPeak(process, [&](uint32_t site, uint64_t bytes, uint64_t count) {
      sites[site] = {bytes, count};
    });
    return sites;
  }

  DeviceMemory memory_{1000, 2400};  // 10 ns per bin
  uint64_t order_ = 0;
};

TEST_F(DeviceMemoryTest, PeakIsWhatWasLiveTogether) {
  memory_.AddProcess(2000);
  Allocate(1010, 0x100, 50, 1);
  Allocate(1020, 0x200, 30, 2);
  Release(1030, 0x100);
  Allocate(1040, 0x300, 40, 1);
  Release(1050, 0x200);
  const MemoryUse& use = Finish();
  EXPECT_EQ(use.peak_bytes, 80u);
  EXPECT_EQ(use.peak_ns, 1020u);
  EXPECT_EQ(use.allocations, 3u);
  EXPECT_EQ(use.releases, 2u);
  EXPECT_EQ(use.unknown_releases, 0u);
  EXPECT_EQ(use.live_at_end_bytes, 40u);
  EXPECT_THAT(AtPeak(), ElementsAre(Pair(1, Pair(50, 1)), Pair(2, Pair(30, 1))));
}

TEST_F(DeviceMemoryTest, PeakBySite_IsOfTheLastRiseNotOfWhatCameAfter) {
  memory_.AddProcess(2000);
  Allocate(1010, 0x100, 50, 1);
  Release(1020, 0x100);
  Allocate(1030, 0x100, 20, 2);
  Allocate(1040, 0x200, 60, 3);
  Allocate(1041, 0x300, 5, 3);
  Release(1050, 0x100);
  Release(1060, 0x200);
  Allocate(1070, 0x400, 1, 2);
  EXPECT_EQ(Finish().peak_bytes, 85u);
  EXPECT_THAT(AtPeak(), ElementsAre(Pair(2, Pair(20, 1)), Pair(3, Pair(65, 2))));
}

TEST_F(DeviceMemoryTest, ProcessesAddUp_AndGiveBackAtTheirEnd) {
  memory_.AddProcess(1100);
  memory_.AddProcess(1300);
  memory_.AddProcess(1300);
  Allocate(1010, 0x100, 50, 1, 0);
  Allocate(1020, 0x100, 30, 1, 1);  // the same address in another process
  Allocate(1150, 0x100, 60, 7, 2);  // the first is gone by now
  Release(1160, 0x100, 1);
  const MemoryUse& use = Finish();
  EXPECT_EQ(use.peak_bytes, 90u);
  EXPECT_EQ(use.live_at_end_bytes, 110u);
  EXPECT_TRUE(AtPeak(0).empty());
  EXPECT_THAT(AtPeak(1), ElementsAre(Pair(1, Pair(30, 1))));
  EXPECT_THAT(AtPeak(2), ElementsAre(Pair(7, Pair(60, 1))));
  EXPECT_EQ(use.live_bytes[0], 0u);
  EXPECT_EQ(use.live_bytes[1], 50u);
  EXPECT_EQ(use.live_bytes[2], 80u);
  EXPECT_EQ(use.live_bytes[9], 80u);
  EXPECT_EQ(use.live_bytes[10], 80u);  // until its end
  EXPECT_EQ(use.live_bytes[11], 30u);
  EXPECT_EQ(use.live_bytes[15], 90u);
  EXPECT_EQ(use.live_bytes[16], 90u);
  EXPECT_EQ(use.live_bytes[17], 60u);
  EXPECT_EQ(use.live_bytes[31], 0u);
  EXPECT_EQ(use.live_bytes.back(), 0u);
}

TEST_F(DeviceMemoryTest, DisorderWithinASettlement_ChangesNothing) {
  memory_.AddProcess(2000);
  order_ = 10;
  Release(1020, 0x100);
  order_ = 0;
  Allocate(1010, 0x100, 50);
  memory_.SettleBefore(1015);
  // At one time, in the order of the calls.
  order_ = 30;
  Release(1040, 0x200);
  order_ = 20;
  Allocate(1040, 0x200, 70);
  const MemoryUse& use = Finish();
  EXPECT_EQ(use.peak_bytes, 70u);
  EXPECT_EQ(use.unknown_releases, 0u);
  EXPECT_EQ(use.live_at_end_bytes, 0u);
}

TEST_F(DeviceMemoryTest, MissingHalves_AreCountedAndDoNotAddUp) {
  memory_.AddProcess(2000);
  Release(1010, 0x900);
  Allocate(1020, 0x100, 50, 1);
  Allocate(1030, 0x100, 20, 2);  // the release between them is not there
  const MemoryUse& use = Finish();
  EXPECT_EQ(use.unknown_releases, 1u);
  EXPECT_EQ(use.peak_bytes, 50u);
  EXPECT_EQ(use.live_at_end_bytes, 20u);
}

}  // namespace
}  // namespace migprof::analyze
