// SPDX-License-Identifier: Apache-2.0
// Names of MIG profiles, "[<c>c.]<g>g.<GB>gb[(+|-)<attribute>]", and the device names they end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace migprof::mig {

struct ProfileName {
  uint32_t compute_slices = 0;  // c: of the compute instance; equals gpu_slices when the name has no "<c>c."
  uint32_t gpu_slices = 0;      // g: of the GPU instance
  uint32_t memory_gb = 0;       // as in the name: a label, not a size
  std::string attribute;        // "+me", "+me.all", "+gfx", "-me" or empty
};

// "1c.3g.40gb+me" -> {1, 3, 40, "+me"}. Nothing for any other text, or when c > g or g is 0.
std::optional<ProfileName> ParseProfileName(std::string_view text);

// "NVIDIA H200 MIG 1g.18gb" -> board "NVIDIA H200", profile "1g.18gb". The profile is empty when the name is not that
// of a slice.
struct DeviceName {
  std::string board;
  std::string profile;
};
DeviceName SplitDeviceName(std::string_view name);

}  // namespace migprof::mig
