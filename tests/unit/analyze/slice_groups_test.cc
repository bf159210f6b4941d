// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/slice_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace migprof::analyze {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

using Change = std::function<void(TraceScan*)>;

// A process on a 1g.10gb, at 1000 … 2000 ns, that could ask everything.
TraceScan Scan(const Change& change = nullptr) {
  TraceScan scan;
  scan.process.host = "node";
  scan.process.boot_id = "boot";
  scan.slice.gpu_uuid = "GPU-11111111-1111-1111-1111-111111111111";
  scan.slice.mig_uuid = "MIG-22222222-2222-2222-2222-222222222222";
  scan.slice.profile = "1g.10gb";
  scan.slice.gpu_instance_id = 7;
  scan.slice.compute_instance_id = 0;
  scan.slice.sm_count = 16;
  scan.slice.memory_bytes = 10'000'000'000;
  scan.slice.placement = mig::Placement{6, 1};
  scan.slice.source = "driver+nvml";
  scan.first_ns = 1000;
  scan.last_ns = 2000;
  if (change) change(&scan);
  return scan;
}

std::vector<std::vector<size_t>> Group(const std::vector<TraceScan>& scans) {
  std::vector<const TraceScan*> pointers;
  for (const TraceScan& scan : scans) pointers.push_back(&scan);
  return GroupBySlice(pointers);
}

TEST(GroupBySlice, AnyFactThatDiffers_MakesAnotherSlice) {
  const std::vector<Change> differences = {
      [](TraceScan* s) { s->process.host = "other"; },
      [](TraceScan* s) { s->process.boot_id = "other"; },
      [](TraceScan* s) { s->slice.mig_uuid.back() = '3'; },
      [](TraceScan* s) { s->slice.gpu_uuid.back() = '3'; },
      [](TraceScan* s) { s->slice.profile = "1g.20gb"; },
      [](TraceScan* s) { s->slice.gpu_instance_id = 8; },
      [](TraceScan* s) { s->slice.compute_instance_id = 1; },
      [](TraceScan* s) { s->slice.sm_count = 26; },
      [](TraceScan* s) { s->slice.memory_bytes += 1; },
      [](TraceScan* s) { s->slice.placement = mig::Placement{5, 1}; },
  };
  EXPECT_THAT(Group({Scan(), Scan(), Scan()}), ElementsAre(ElementsAre(0, 1, 2)));
  for (size_t i = 0; i < differences.size(); ++i) {
    EXPECT_THAT(Group({Scan(), Scan(differences[i]), Scan()}), ElementsAre(ElementsAre(0, 2), ElementsAre(1))) << i;
  }
}

TEST(GroupBySlice, WhatAProcessCouldNotAsk_IsNoDifference) {
  const Change no_nvml = [](TraceScan* s) {
    s->slice.gpu_uuid.clear();
    s->slice.gpu_instance_id.reset();
    s->slice.compute_instance_id.reset();
    s->slice.placement.reset();
  };
  const Change no_profile = [&](TraceScan* s) {
    no_nvml(s);
    s->slice.profile.clear();
    s->slice.sm_count = 0;
    s->slice.memory_bytes = 0;
  };
  // The driver gave no name of a slice: the UUID is taken for a GPU's.
  const Change called_a_gpu = [&](TraceScan* s) {
    no_profile(s);
    s->slice.gpu_uuid = "GPU-" + s->slice.mig_uuid.substr(4);
    s->slice.mig_uuid.clear();
  };
  EXPECT_THAT(Group({Scan(no_profile), Scan(no_nvml), Scan(), Scan(called_a_gpu)}),
              ElementsAre(ElementsAre(0, 1, 2, 3)));
  EXPECT_THAT(Group({Scan(called_a_gpu), Scan(called_a_gpu)}), ElementsAre(ElementsAre(0, 1)));
}

TEST(GroupBySlice, WhoFitsSeveral_IsWithTheNearestInTime) {
  const auto at = [](uint64_t first, const Change& change) {
    return Scan([=](TraceScan* s) {
      s->first_ns = first;
      s->last_ns = first + 100;
      change(s);
    });
  };
  const Change small = [](TraceScan*) {};
  const Change large = [](TraceScan* s) {
    s->slice.profile = "2g.20gb";
    s->slice.sm_count = 32;
  };
  const Change unknown = [](TraceScan* s) {
    s->slice.profile.clear();
    s->slice.sm_count = 0;
  };
  EXPECT_THAT(Group({at(1000, small), at(9000, large), at(1050, unknown), at(8000, unknown), at(2000, unknown)}),
              UnorderedElementsAre(ElementsAre(0, 2, 4), ElementsAre(1, 3)));
  // An unknown one that says what only one of them has.
  const Change large_sms = [](TraceScan* s) {
    s->slice.profile.clear();
    s->slice.sm_count = 32;
  };
  EXPECT_THAT(Group({at(1000, small), at(9000, large), at(1000, large_sms)}),
              UnorderedElementsAre(ElementsAre(0), ElementsAre(1, 2)));
}

TEST(AddIdentity, KeepsWhatIsKnownAndTakesTheRest) {
  mig::SliceIdentity identity;
  identity.gpu_uuid = "GPU-22222222-2222-2222-2222-222222222222";
  identity.sm_count = 15;
  identity.source = "driver";
  AddIdentity(Scan().slice, &identity);
  EXPECT_EQ(identity.mig_uuid, Scan().slice.mig_uuid);
  EXPECT_EQ(identity.gpu_uuid, Scan().slice.gpu_uuid);
  EXPECT_EQ(identity.gpu_instance_id, 7u);
  EXPECT_EQ(identity.placement, (mig::Placement{6, 1}));
  EXPECT_EQ(identity.sm_count, 15u);
  EXPECT_EQ(identity.source, "driver+nvml");
}

}  // namespace
}  // namespace migprof::analyze
