// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/uuid.h"

#include <gtest/gtest.h>

namespace migprof::mig {
namespace {

constexpr UuidBytes kBytes = {0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71, 0x82,
                              0x93, 0xa4, 0xb5, 0xc6, 0xd7, 0xe8, 0xf9, 0x0a};
constexpr char kText[] = "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f90a";

TEST(Uuid, Format_GivesTheFormOfNvidiaTools) {
  EXPECT_EQ(FormatUuid(kBytes), kText);
  EXPECT_EQ(GpuUuidText(kBytes), std::string("GPU-") + kText);
  EXPECT_EQ(MigUuidText(kBytes), std::string("MIG-") + kText);
}

TEST(Uuid, Parse_ReversesFormat) {
  EXPECT_EQ(ParseUuid(kText), kBytes);
  EXPECT_EQ(ParseUuid("1B2C3D4E-5F60-7182-93A4-B5C6D7E8F90A"), kBytes);
}

TEST(Uuid, Parse_RefusesEverythingElse) {
  for (const char* text : {"", "1b2c3d4e", "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f90",
                           "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f90a0", "1b2c3d4e05f60-7182-93a4-b5c6d7e8f90a",
                           "1b2c3d4g-5f60-7182-93a4-b5c6d7e8f90a", "MIG-1b2c3d4e-5f60-7182-93a4-b5c6d7e8f90a"}) {
    EXPECT_FALSE(ParseUuid(text)) << text;
  }
}

TEST(LegacyMigUuid, Parse_GivesGpuAndInstances) {
  const auto parsed = ParseLegacyMigUuid(std::string("MIG-GPU-") + kText + "/7/0");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->gpu_uuid, std::string("GPU-") + kText);
  EXPECT_EQ(parsed->gpu_instance_id, 7u);
  EXPECT_EQ(parsed->compute_instance_id, 0u);
}

TEST(LegacyMigUuid, Parse_RefusesEverythingElse) {
  const std::string start = std::string("MIG-GPU-") + kText;
  for (const std::string& text :
       {std::string(), std::string("MIG-") + kText, start, start + "/7", start + "/7/", start + "//0", start + "/7/0/1",
        start + "/-7/0", start + "/7/0x", start + "/99999999999/0"}) {
    EXPECT_FALSE(ParseLegacyMigUuid(text)) << text;
  }
}

}  // namespace
}  // namespace migprof::mig
