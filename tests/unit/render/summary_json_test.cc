// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/summary_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

std::string Summary(const analyze::Profile& profile) {
  std::ostringstream out;
  WriteSummaryJson(profile, out);
  return out.str();
}

TEST(WriteSummaryJson, SampleProfile_IsAsItEverWas) { ExpectGolden("sample.summary.json", Summary(SampleProfile())); }

TEST(WriteSummaryJson, HostileNames_AreValidJson) {
  const nlohmann::json json = nlohmann::json::parse(Summary(HostileProfile()));
  EXPECT_EQ(json["slices"][0]["host"], "host<&>\"'");
  EXPECT_EQ(json["slices"][0]["processes"][0]["name"], "a\uFFFDb<c>");
}

TEST(WriteSummaryJson, WhatIsNotKnown_IsNull) {
  analyze::Profile profile;
  profile.slices.emplace_back();
  const nlohmann::json slice = nlohmann::json::parse(Summary(profile))["slices"][0];
  for (const char* field : {"gpu_uuid", "gpu_name", "mig_uuid", "gpu_instance_id", "compute_instance_id", "profile",
                            "sm_count", "memory_bytes", "boot_id", "pci_bus_id"}) {
    EXPECT_TRUE(slice[field].is_null()) << field;
  }
  EXPECT_EQ(slice["window_ns"], 0);
}

TEST(WriteSummaryJson, InstanceZero_IsNotNull) {
  EXPECT_EQ(nlohmann::json::parse(Summary(SampleProfile()))["slices"][0]["compute_instance_id"], 0);
}

TEST(WriteSummaryJson, NoSlices_GiveAnEmptyList) {
  const nlohmann::json json = nlohmann::json::parse(Summary(analyze::Profile()));
  EXPECT_EQ(json["schema"], "migprof.summary/1");
  EXPECT_EQ(json["simulated"], false);
  EXPECT_EQ(json["slices"], nlohmann::json::array());
}

TEST(WriteSummarySchema, EveryFieldOfASummary_IsInIt) {
  std::ostringstream out;
  WriteSummarySchema(out);
  const nlohmann::json definitions = nlohmann::json::parse(out.str())["$defs"];
  const nlohmann::json slice = nlohmann::json::parse(Summary(SampleProfile()))["slices"][0];
  const auto expect_described = [&](const nlohmann::json& object, const char* definition) {
    for (const auto& [field, value] : object.items()) {
      EXPECT_TRUE(definitions[definition]["properties"].contains(field)) << definition << '.' << field;
    }
    for (const auto& field : definitions[definition]["required"]) {
      EXPECT_TRUE(object.contains(field.get<std::string>())) << definition << '.' << field;
    }
  };
  expect_described(slice, "slice");
  expect_described(slice["health"], "health");
  expect_described(slice["memcpys"], "totals");
  expect_described(slice["processes"][0], "process");
}

}  // namespace
}  // namespace migprof::render
