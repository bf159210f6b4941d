// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/pause_log.h"

#include <gtest/gtest.h>

namespace migprof::record {
namespace {

TEST(PauseLog, NeverStopped_KnowsNoUnrecordedWork) {
  PauseLog log;
  log.NoteCall(7);
  EXPECT_FALSE(log.is_stopped());
  EXPECT_FALSE(log.IsUnrecorded(1'000'000));
  EXPECT_FALSE(log.TakeChange());
}

TEST(PauseLog, WorkBetweenTheLastAndTheFirstCall_IsUnrecorded) {
  PauseLog log;
  log.NoteCall(99);
  log.NoteCall(100);
  log.Stop(5000);
  EXPECT_TRUE(log.is_stopped());
  EXPECT_FALSE(log.IsUnrecorded(100));
  EXPECT_TRUE(log.IsUnrecorded(101));
  log.NoteCall(103);  // it was on its way
  EXPECT_FALSE(log.IsUnrecorded(102));
  EXPECT_TRUE(log.IsUnrecorded(104));
  log.Start(6000);
  EXPECT_FALSE(log.is_stopped());
  EXPECT_TRUE(log.IsUnrecorded(150));
  log.NoteCall(201);
  log.NoteCall(200);  // of a thread whose ring was emptied later
  log.NoteCall(202);
  EXPECT_TRUE(log.IsUnrecorded(199));
  EXPECT_FALSE(log.IsUnrecorded(200));
  ASSERT_EQ(log.pauses().size(), 1u);
  EXPECT_EQ(log.pauses()[0].stopped_ns, 5000u);
  EXPECT_EQ(log.pauses()[0].started_ns, 6000u);
  EXPECT_EQ(log.pauses()[0].last_before, 103u);
  EXPECT_EQ(log.pauses()[0].first_after, 200u);
}

TEST(PauseLog, StoppedFromTheBeginning_NothingBeforeTheFirstCallIsRecorded) {
  PauseLog log;
  log.Stop(1);
  EXPECT_TRUE(log.IsUnrecorded(5));
  log.Start(2);
  EXPECT_TRUE(log.IsUnrecorded(5));
  log.NoteCall(10);
  EXPECT_TRUE(log.IsUnrecorded(9));
  EXPECT_FALSE(log.IsUnrecorded(10));
}

TEST(PauseLog, Correlations_Wrap) {
  PauseLog log;
  log.NoteCall(UINT32_MAX - 1);
  log.Stop(1);
  EXPECT_TRUE(log.IsUnrecorded(3));
  log.Start(2);
  log.NoteCall(20);
  EXPECT_TRUE(log.IsUnrecorded(UINT32_MAX));
  EXPECT_TRUE(log.IsUnrecorded(19));
  EXPECT_FALSE(log.IsUnrecorded(UINT32_MAX - 1));
  EXPECT_FALSE(log.IsUnrecorded(20));
}

TEST(PauseLog, AskedTwice_StopsAndStartsOnce) {
  PauseLog log;
  log.Stop(1);
  log.Stop(2);
  log.Start(3);
  log.Start(4);
  ASSERT_EQ(log.pauses().size(), 1u);
  EXPECT_EQ(log.pauses()[0].stopped_ns, 1u);
  EXPECT_EQ(log.pauses()[0].started_ns, 3u);
  EXPECT_EQ(log.stops(), 1u);
  EXPECT_TRUE(log.TakeChange());
  EXPECT_FALSE(log.TakeChange());
}

}  // namespace
}  // namespace migprof::record
