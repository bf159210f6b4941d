// SPDX-License-Identifier: Apache-2.0
// The simulated GPU's description of a machine. The first line of the input is CUDA_VISIBLE_DEVICES, the rest the file.
// libFuzzer's own changes hardly ever leave JSON behind, so half of the changes are made to the values in it.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "base/topology.h"
#include "base/visible_devices.h"
#include "libmigprof/mig/profile_name.h"
#include "libmigprof/mig/uuid.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/scratch.h"

namespace {

using nlohmann::json;

bool SameDevice(const simgpu::DeviceRef& a, const simgpu::DeviceRef& b) {
  return a.gpu == b.gpu && a.instance == b.instance && a.compute == b.compute;
}

void CheckDevice(const simgpu::DeviceRef& device) {
  const std::string uuid = device.uuid_text();
  Check(uuid.size() == 40 && migprof::mig::ParseUuid(uuid.substr(4)), "a device's UUID is one");
  Check(device.sm_count() > 0 || !device.is_mig(), "a slice has SMs");
  Check(!device.is_mig() || device.memory_bytes_per_us() > 0, "a slice has bandwidth");
  Check(device.name().ends_with(device.profile()), "a slice's name ends with its profile");
  // What migprof makes of the name.
  if (device.is_mig() && migprof::mig::ParseProfileName(device.profile())) {
    Check(migprof::mig::SplitDeviceName(device.name()).profile == device.profile(), "migprof finds the profile again");
  }
}

void CheckVisible(const simgpu::Topology& topology, const std::optional<std::string>& selection) {
  const auto all = simgpu::AllDevices(topology);
  const auto visible = simgpu::VisibleDevices(topology, selection);
  std::set<const void*> seen;
  for (const simgpu::DeviceRef& device : visible) {
    CheckDevice(device);
    Check(std::any_of(all.begin(), all.end(), [&](const auto& other) { return SameDevice(device, other); }),
          "only devices of the machine are visible");
    Check(seen.insert(device.is_mig() ? static_cast<const void*>(device.instance) : device.gpu).second,
          "a GPU instance gives a process one device");
  }
}

// Removes devices, so that it takes its own.
void CheckRestricted(simgpu::Topology topology, const std::string& selection) {
  const size_t before = simgpu::AllDevices(topology).size();
  simgpu::Restrict(selection, &topology);
  const size_t after = simgpu::AllDevices(topology).size();
  Check(after <= before, "a container sees no more than the machine has");
  simgpu::Restrict(selection, &topology);
  Check(simgpu::AllDevices(topology).size() == after, "restricting twice restricts once");
}

// Whether the C library would be asked to expand a pattern: it takes any time and memory for a{255}{255}{255}, which is
// nothing that this project could mend.
bool HasRepetition(const std::string& text) {
  return text.find("\"match\"") != std::string::npos && text.find('{', text.find("\"match\"")) != std::string::npos;
}

#ifdef MIGPROF_FUZZING
// All values in `document`, depth first.
void Collect(json* document, std::vector<json*>* values) {
  values->push_back(document);
  for (json& child : *document) {
    if (child.is_structured()) {
      Collect(&child, values);
    } else {
      values->push_back(&child);
    }
  }
}

json OtherValue(std::mt19937* random, const json& now) {
  const auto pick = [&](uint32_t count) { return static_cast<uint32_t>((*random)() % count); };
  if (now.is_array() && !now.empty()) {
    json changed = now;
    if (pick(2) == 0) {
      changed.push_back(now[pick(static_cast<uint32_t>(now.size()))]);
    } else {
      changed.erase(pick(static_cast<uint32_t>(now.size())));
    }
    return changed;
  }
  if (now.is_string() && pick(2) == 0) {
    std::string text = now.get<std::string>();
    if (!text.empty()) text[pick(static_cast<uint32_t>(text.size()))] = "0aG-:./ "[pick(8)];
    return text;
  }
  const json values[] = {0,
                         1,
                         7,
                         8,
                         255,
                         -1,
                         4294967295u,
                         4294967296u,
                         18446744073709551615u,
                         1.5,
                         1e300,
                         true,
                         false,
                         nullptr,
                         "",
                         "9.0",
                         "580.1",
                         "1g.5gb",
                         "GPU-4dbd5884-4197-5082-a533-db51edd5d209",
                         json::array(),
                         json::object()};
  return values[pick(std::size(values))];
}

#endif

}  // namespace

#ifdef MIGPROF_FUZZING
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::mt19937 random(seed);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  json document =
      line == std::string::npos ? json() : json::parse(text.substr(line), nullptr, /*allow_exceptions=*/false);
  if (random() % 2 == 0 || !document.is_object()) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<json*> values;
  Collect(&document, &values);
  json* const value = values[random() % values.size()];
  if (value->is_object() && !value->empty() && random() % 2 == 0) {
    value->erase(std::next(value->begin(), static_cast<ptrdiff_t>(random() % value->size())));
  } else {
    *value = OtherValue(&random, *value);
  }
  const std::string changed = text.substr(0, line + 1) + document.dump(-1, ' ', false, json::error_handler_t::replace);
  if (changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
#endif

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string selection = text.substr(0, line);
  const std::string content = text.substr(line);
  if (HasRepetition(content)) return 0;
  const std::string file = ScratchFolder() + "/topology.json";
  WriteScratch(file, content);
  std::string problem;
  std::vector<simgpu::KernelRule> rules;
  if (!simgpu::ReadKernelRules(file, &rules, &problem)) Check(!problem.empty(), "a refusal says why");
  problem.clear();
  simgpu::Topology topology;
  if (!simgpu::ReadTopology(file, &topology, &problem)) {
    Check(!problem.empty(), "a refusal says why");
    return 0;
  }
  Check(problem.empty(), "who succeeds has no problem");
  for (const simgpu::DeviceRef& device : simgpu::AllDevices(topology)) {
    CheckDevice(device);
    CheckVisible(topology, device.uuid_text());
  }
  CheckVisible(topology, std::nullopt);
  CheckVisible(topology, selection);
  CheckRestricted(topology, selection);
  return 0;
}
