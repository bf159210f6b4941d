// SPDX-License-Identifier: Apache-2.0
// UUIDs of GPUs and MIG slices, in bytes and in the text forms that NVIDIA's tools print.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace migprof::mig {

using UuidBytes = std::array<uint8_t, 16>;

// "8-4-4-4-12" lower-case hexadecimal digits, no prefix.
std::string FormatUuid(const UuidBytes& bytes);
inline std::string GpuUuidText(const UuidBytes& bytes) { return "GPU-" + FormatUuid(bytes); }
inline std::string MigUuidText(const UuidBytes& bytes) { return "MIG-" + FormatUuid(bytes); }

// Reads exactly the form that FormatUuid writes, in either case.
std::optional<UuidBytes> ParseUuid(std::string_view text);

// The form of drivers before R470: "MIG-GPU-<uuid of the GPU>/<GPU instance>/<compute instance>".
struct LegacyMigUuid {
  std::string gpu_uuid;  // "GPU-…"
  uint32_t gpu_instance_id;
  uint32_t compute_instance_id;
};
std::optional<LegacyMigUuid> ParseLegacyMigUuid(std::string_view text);

}  // namespace migprof::mig
