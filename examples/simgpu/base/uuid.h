// SPDX-License-Identifier: Apache-2.0
// The 16 bytes that name a GPU or a compute instance, and how NVIDIA's tools print them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace simgpu {

using Uuid = std::array<uint8_t, 16>;

// Lower-case hexadecimal in groups of 8-4-4-4-12, after `prefix`: "GPU-" or "MIG-".
std::string FormatUuid(std::string_view prefix, const Uuid& uuid);

// The reverse; nothing when `text` is not exactly that.
std::optional<Uuid> ParseUuid(std::string_view prefix, std::string_view text);

}  // namespace simgpu
