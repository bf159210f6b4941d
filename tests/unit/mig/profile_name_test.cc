// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/profile_name.h"

#include <gtest/gtest.h>

namespace migprof::mig {
namespace {

TEST(ProfileName, KnownForms_AreParsed) {
  const struct {
    const char* text;
    uint32_t compute, gpu, gb;
    const char* attribute;
  } cases[] = {{"1g.10gb", 1, 1, 10, ""},
               {"7g.141gb", 7, 7, 141, ""},
               {"1c.3g.40gb", 1, 3, 40, ""},
               {"1g.5gb+me", 1, 1, 5, "+me"},
               {"1g.24gb+me.all", 1, 1, 24, "+me.all"},
               {"1g.24gb-me", 1, 1, 24, "-me"},
               {"2g.48gb+gfx", 2, 2, 48, "+gfx"},
               {"1g.0gb", 1, 1, 0, ""}};
  for (const auto& expected : cases) {
    const auto name = ParseProfileName(expected.text);
    ASSERT_TRUE(name) << expected.text;
    EXPECT_EQ(name->compute_slices, expected.compute) << expected.text;
    EXPECT_EQ(name->gpu_slices, expected.gpu) << expected.text;
    EXPECT_EQ(name->memory_gb, expected.gb) << expected.text;
    EXPECT_EQ(name->attribute, expected.attribute) << expected.text;
  }
}

TEST(ProfileName, OtherText_IsRefused) {
  for (const char* text : {"", "1g", "1g.gb", "g.10gb", "0g.10gb", "4c.3g.40gb", "1g.10gb+", "1g.10gb+foo", "1g.10GB",
                           "1g.10gb ", " 1g.10gb", "99999999999g.1gb"}) {
    EXPECT_FALSE(ParseProfileName(text)) << text;
  }
}

TEST(DeviceName, SliceName_IsSplit) {
  const DeviceName name = SplitDeviceName("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb");
  EXPECT_EQ(name.board, "NVIDIA RTX PRO 6000 Blackwell Server Edition");
  EXPECT_EQ(name.profile, "1g.24gb");
}

TEST(DeviceName, GpuName_StaysWhole) {
  for (const char* text : {"NVIDIA H200", "NVIDIA MIG thing", "", " MIG "}) {
    const DeviceName name = SplitDeviceName(text);
    EXPECT_EQ(name.board, text);
    EXPECT_EQ(name.profile, "");
  }
}

}  // namespace
}  // namespace migprof::mig
