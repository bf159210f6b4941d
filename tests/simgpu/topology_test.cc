// SPDX-License-Identifier: Apache-2.0
#include "base/topology.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/uuid.h"
#include "base/visible_devices.h"
#include "tests/simgpu/child_process.h"

namespace simgpu::test {
namespace {

simgpu::Topology Read(const std::string& name) {
  simgpu::Topology topology;
  std::string problem;
  EXPECT_TRUE(ReadTopology(LibraryFolder() + "/topologies/" + name + ".json", &topology, &problem)) << problem;
  return topology;
}

// The problem with a topology whose text is `text`.
std::string Problem(const std::string& text) {
  const std::string file = TemporaryFile(".json");
  std::ofstream(file) << text;
  simgpu::Topology topology;
  std::string problem;
  EXPECT_FALSE(ReadTopology(file, &topology, &problem));
  return problem;
}

std::vector<std::string> Names(const std::vector<DeviceRef>& devices) {
  std::vector<std::string> names;
  for (const DeviceRef& device : devices) names.push_back(device.name());
  return names;
}

constexpr char kH100[] = "NVIDIA H100 80GB HBM3";

TEST(Uuid, RoundTrip) {
  const std::string text = "MIG-91ade5ba-cfcc-568c-9be5-7f4247bddeee";
  ASSERT_TRUE(ParseUuid("MIG-", text));
  EXPECT_EQ(FormatUuid("MIG-", *ParseUuid("MIG-", text)), text);
  EXPECT_FALSE(ParseUuid("GPU-", text));
  EXPECT_FALSE(ParseUuid("MIG-", text + "0"));
  EXPECT_FALSE(ParseUuid("MIG-", "MIG-91ade5ba-cfcc-568c-9be5-7f4247bddeeg"));
}

TEST(TopologyFile, EveryShippedFileIsReadable) {
  EXPECT_EQ(AllDevices(Read("h100-mixed")).size(), 3u);
  EXPECT_EQ(AllDevices(Read("h200-three-2g")).size(), 3u);
  EXPECT_EQ(AllDevices(Read("two-gpus")).size(), 7u);
  EXPECT_EQ(AllDevices(Read("shared-gi")).size(), 3u);
  EXPECT_EQ(AllDevices(Read("a100-seven-1g")).size(), 7u);
}

TEST(TopologyFile, SharedGpuInstance_NamesSayHowManySlices) {
  const simgpu::Topology topology = Read("shared-gi");
  EXPECT_EQ(Names(AllDevices(topology)),
            (std::vector<std::string>{"NVIDIA A100-SXM4-80GB MIG 1c.3g.40gb", "NVIDIA A100-SXM4-80GB MIG 2c.3g.40gb",
                                      "NVIDIA A100-SXM4-80GB MIG 4g.40gb"}));
}

TEST(TopologyFile, SliceHasItsShareOfTheMemoryBandwidth) {
  const simgpu::Topology topology = Read("h100-mixed");
  const std::vector<DeviceRef> devices = AllDevices(topology);
  EXPECT_EQ(devices[0].memory_bytes_per_us(), devices[0].gpu->memory_bytes_per_us / 2);
  EXPECT_EQ(devices[2].memory_bytes_per_us(), devices[2].gpu->memory_bytes_per_us / 8);
}

TEST(TopologyFile, ProblemsAreNamed) {
  EXPECT_NE(Problem("{").find("parse error"), std::string::npos);
  EXPECT_NE(Problem("{\"driver\": {\"version\": \"580\"}, \"gpus\": []}").find("\"cuda\" is missing"),
            std::string::npos);
  EXPECT_NE(Problem("{\"driver\": {\"version\": \"580\", \"cuda\": 13000}, \"gpu\": []}").find("unknown key \"gpu\""),
            std::string::npos);
  EXPECT_NE(
      Problem(
          "{\"driver\": {\"version\": \"580\", \"cuda\": 13000}, \"gpus\": [{\"name\": \"x\", \"uuid\": \"GPU-1\"}]}")
          .find("must be \"GPU-\" and a UUID"),
      std::string::npos);
  // A number that would become another one on its way into 32 bits.
  for (const std::string number : {"-1", "1.5", "4294967296", "1e300", "\"13000\""}) {
    EXPECT_NE(Problem("{\"driver\": {\"version\": \"580\", \"cuda\": " + number + "}, \"gpus\": []}")
                  .find("\"cuda\" must be a whole number"),
              std::string::npos)
        << number;
  }
}

TEST(VisibleDevices, UnsetShowsOneComputeInstancePerGpuInstanceAndWholeGpus) {
  const simgpu::Topology shared = Read("shared-gi");
  EXPECT_EQ(Names(VisibleDevices(shared, std::nullopt)),
            (std::vector<std::string>{"NVIDIA A100-SXM4-80GB MIG 1c.3g.40gb", "NVIDIA A100-SXM4-80GB MIG 4g.40gb"}));
  const simgpu::Topology two = Read("two-gpus");
  EXPECT_EQ(VisibleDevices(two, std::nullopt).size(), 7u);
  EXPECT_EQ(VisibleDevices(two, std::nullopt).back().name(), "NVIDIA H200");
}

TEST(VisibleDevices, IndicesRenumber) {
  const simgpu::Topology topology = Read("h100-mixed");
  EXPECT_EQ(Names(VisibleDevices(topology, "2,0")),
            (std::vector<std::string>{std::string(kH100) + " MIG 1g.10gb", std::string(kH100) + " MIG 4g.40gb"}));
}

TEST(VisibleDevices, MigUuidInAllItsForms) {
  const simgpu::Topology topology = Read("h100-mixed");
  const DeviceRef wanted = AllDevices(topology)[1];
  const std::string uuid = wanted.uuid_text();
  const std::string old_form = "MIG-" + FormatUuid("GPU-", wanted.gpu->uuid) + "/5/0";
  for (const std::string& selection : {uuid, uuid.substr(0, 8), old_form, "  " + uuid + " "}) {
    const std::vector<DeviceRef> devices = VisibleDevices(topology, selection);
    ASSERT_EQ(devices.size(), 1u) << selection;
    EXPECT_EQ(devices[0].compute, wanted.compute) << selection;
  }
}

TEST(VisibleDevices, AmbiguousBeginningNamesNothing) {
  const simgpu::Topology topology = Read("a100-seven-1g");
  EXPECT_TRUE(VisibleDevices(topology, "MIG-").empty());
  EXPECT_TRUE(VisibleDevices(topology, "MIG-" + FormatUuid("GPU-", topology.gpus[0].uuid)).empty());
}

TEST(VisibleDevices, SiblingIsReachedByItsUuidOnly) {
  const simgpu::Topology topology = Read("shared-gi");
  const std::string sibling = AllDevices(topology)[1].uuid_text();
  ASSERT_EQ(VisibleDevices(topology, sibling).size(), 1u);
  EXPECT_EQ(VisibleDevices(topology, sibling)[0].sm_count(), 28u);
  // Both are of one GPU instance: CUDA shows one.
  const std::string both = AllDevices(topology)[0].uuid_text() + "," + sibling;
  ASSERT_EQ(VisibleDevices(topology, both).size(), 1u);
  EXPECT_EQ(VisibleDevices(topology, both)[0].sm_count(), 14u);
}

TEST(VisibleDevices, GpuUuidStandsForItsInstances) {
  const simgpu::Topology topology = Read("two-gpus");
  EXPECT_EQ(VisibleDevices(topology, FormatUuid("GPU-", topology.gpus[0].uuid)).size(), 6u);
  ASSERT_EQ(VisibleDevices(topology, FormatUuid("GPU-", topology.gpus[1].uuid).substr(0, 10)).size(), 1u);
}

TEST(VisibleDevices, WrongOrRepeatedEntryEndsTheList) {
  const simgpu::Topology topology = Read("h100-mixed");
  EXPECT_EQ(VisibleDevices(topology, "1,9,0").size(), 1u);
  EXPECT_EQ(VisibleDevices(topology, "0,1,0,2").size(), 2u);
  for (const char* const nothing : {"", "-1", "NoDevFiles", "MIG-00000000", "99999999999999999999"}) {
    EXPECT_TRUE(VisibleDevices(topology, nothing).empty()) << nothing;
  }
}

TEST(VisibleDevices, BeforeDriver570_OneComputeInstanceAndNothingElse) {
  simgpu::Topology topology = Read("two-gpus");
  topology.driver_branch = 550;
  EXPECT_EQ(Names(VisibleDevices(topology, std::nullopt)),
            (std::vector<std::string>{std::string(kH100) + " MIG 2g.20gb"}));
  EXPECT_EQ(Names(VisibleDevices(topology, "6,3")), (std::vector<std::string>{std::string(kH100) + " MIG 1g.10gb"}));
  EXPECT_EQ(Names(VisibleDevices(topology, "6")), (std::vector<std::string>{"NVIDIA H200"}));
}

TEST(Restrict, LeavesWhatAContainerWasGiven) {
  simgpu::Topology topology = Read("two-gpus");
  const std::string slice = AllDevices(topology)[2].uuid_text();
  const std::string gpu = FormatUuid("GPU-", topology.gpus[1].uuid);
  EXPECT_FALSE(topology.restricted);
  Restrict(slice, &topology);
  EXPECT_TRUE(topology.restricted);
  ASSERT_EQ(AllDevices(topology).size(), 1u);
  EXPECT_EQ(AllDevices(topology)[0].uuid_text(), slice);
  ASSERT_EQ(topology.gpus.size(), 1u) << "the GPU around it is seen as well, the other one is not";

  topology = Read("two-gpus");
  Restrict(gpu + ", " + slice, &topology);
  EXPECT_EQ(topology.gpus.size(), 2u);
  EXPECT_EQ(AllDevices(topology).size(), 2u);

  topology = Read("two-gpus");
  Restrict(FormatUuid("GPU-", topology.gpus[0].uuid), &topology);
  EXPECT_EQ(AllDevices(topology).size(), 6u) << "a GPU comes with all of its slices";

  topology = Read("two-gpus");
  Restrict("void", &topology);
  EXPECT_TRUE(topology.gpus.empty());
}

}  // namespace
}  // namespace simgpu::test
