// SPDX-License-Identifier: Apache-2.0
// Names of MIG profiles and devices and UUIDs, as drivers write them. What is understood must mean what it says: it is
// written again from what was understood, and compared.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

#include "libmigprof/mig/profile_name.h"
#include "libmigprof/mig/uuid.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::mig;

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string Write(const ProfileName& name) {
  return std::to_string(name.compute_slices) + "c." + std::to_string(name.gpu_slices) + "g." +
         std::to_string(name.memory_gb) + "gb" + name.attribute;
}

void UseProfileName(const std::string& text) {
  const auto name = ParseProfileName(text);
  if (!name) return;
  Check(name->compute_slices >= 1 && name->compute_slices <= name->gpu_slices, "a compute instance fits its instance");
  Check(text.ends_with("gb" + name->attribute), "a profile ends with its memory and its attribute");
  Check(text.find("c.") != std::string::npos || name->compute_slices == name->gpu_slices,
        "without a number of its own a compute instance fills its GPU instance");
  Check(!ParseProfileName(text + "x") && !ParseProfileName(" " + text), "nothing stands around a profile");
  const auto again = ParseProfileName(Write(*name));
  Check(again && again->compute_slices == name->compute_slices && again->gpu_slices == name->gpu_slices &&
            again->memory_gb == name->memory_gb && again->attribute == name->attribute,
        "a profile written again is the same profile");
}

void UseDeviceName(const std::string& text) {
  const DeviceName name = SplitDeviceName(text);
  const bool is_slice = !name.profile.empty();
  Check((is_slice ? name.board + " MIG " + name.profile : name.board) == text, "a device name is its two parts");
  Check(!is_slice || ParseProfileName(name.profile), "what ends a device name is a profile");
}

void UseUuid(const std::string& text) {
  if (const auto uuid = ParseUuid(text)) Check(FormatUuid(*uuid) == Lower(text), "a UUID is written as it was read");
  const auto legacy = ParseLegacyMigUuid(text);
  if (!legacy) return;
  Check(legacy->gpu_uuid.starts_with("GPU-") && ParseUuid(legacy->gpu_uuid.substr(4)), "a GPU's UUID is one");
  const auto again = ParseLegacyMigUuid("MIG-" + legacy->gpu_uuid + "/" + std::to_string(legacy->gpu_instance_id) +
                                        "/" + std::to_string(legacy->compute_instance_id));
  Check(again && again->gpu_uuid == legacy->gpu_uuid && again->gpu_instance_id == legacy->gpu_instance_id &&
            again->compute_instance_id == legacy->compute_instance_id,
        "an old MIG UUID written again is the same");
}

// Plain bytes hardly ever are a name, so some are made of the input.
void UseMadeNames(FuzzInput input) {
  UuidBytes bytes = input.Number<UuidBytes>();
  const std::string uuid = FormatUuid(bytes);
  Check(ParseUuid(uuid) == bytes, "every UUID can be read back");
  std::string upper = uuid;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  Check(ParseUuid(upper) == bytes, "in either case");
  std::string wrong = uuid;
  const size_t position = input.Byte() % wrong.size();
  const char instead = static_cast<char>(input.Byte());
  const bool is_same_digit = std::tolower(static_cast<unsigned char>(instead)) == wrong[position];
  wrong[position] = instead;
  const auto read = ParseUuid(wrong);
  Check(!read || FormatUuid(*read) == Lower(wrong), "one other character is another UUID or none");
  Check(!is_same_digit || read == bytes, "the same digit is the same UUID");

  ProfileName name{
      .compute_slices = input.Byte() % 9u, .gpu_slices = input.Byte() % 9u, .memory_gb = 0, .attribute = ""};
  name.memory_gb = input.Number<uint32_t>();
  constexpr const char* kAttributes[] = {"", "+me", "+me.all", "+gfx", "-me"};
  name.attribute = kAttributes[input.Byte() % std::size(kAttributes)];
  const bool makes_sense = name.compute_slices >= 1 && name.compute_slices <= name.gpu_slices;
  Check(ParseProfileName(Write(name)).has_value() == makes_sense,
        "exactly the profiles that make sense are understood");
  const std::string board(input.Rest());
  const DeviceName device = SplitDeviceName(board + " MIG " + Write(name));
  if (makes_sense) Check(device.board == board && device.profile == Write(name), "the last \" MIG \" ends the board");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  UseProfileName(text);
  UseDeviceName(text);
  UseUuid(text);
  UseMadeNames({data, size});
  return 0;
}
