// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/control_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace migprof {
namespace {

TEST(ControlFiles, StateThatIsReplacedWhileItIsRead_IsThere) {
  const std::string folder = testing::TempDir() + "migprof-control-" + std::to_string(getpid());
  ControlFiles process(folder, 1);
  ASSERT_TRUE(process.Announce({}).ok());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t ticket = 1; !done; ++ticket) EXPECT_TRUE(process.WriteState({true, ticket, true}).ok());
  });
  const ControlFiles reader(folder, 1);
  uint64_t missing = 0;
  for (int i = 0; i < 20'000; ++i) missing += !reader.ReadState().has_value();
  done = true;
  writer.join();
  EXPECT_EQ(missing, 0U);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace migprof
