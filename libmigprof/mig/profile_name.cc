// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/profile_name.h"

#include <charconv>

namespace migprof::mig {
namespace {

// Reads "<number><suffix>" from the front of `text`.
bool TakeNumber(std::string_view* text, std::string_view suffix, uint32_t* out) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (error != std::errc()) return false;
  std::string_view rest = text->substr(end - text->data());
  if (!rest.starts_with(suffix)) return false;
  *text = rest.substr(suffix.size());
  return true;
}

bool IsAttribute(std::string_view text) {
  return text.empty() || text == "+me" || text == "+me.all" || text == "+gfx" || text == "-me";
}

}  // namespace

std::optional<ProfileName> ParseProfileName(std::string_view text) {
  ProfileName name;
  const bool has_compute = TakeNumber(&text, "c.", &name.compute_slices);
  if (!TakeNumber(&text, "g.", &name.gpu_slices) || !TakeNumber(&text, "gb", &name.memory_gb)) return std::nullopt;
  if (!has_compute) name.compute_slices = name.gpu_slices;
  if (name.gpu_slices == 0 || name.compute_slices == 0 || name.compute_slices > name.gpu_slices) return std::nullopt;
  if (!IsAttribute(text)) return std::nullopt;
  name.attribute = text;
  return name;
}

DeviceName SplitDeviceName(std::string_view name) {
  constexpr std::string_view kSeparator = " MIG ";
  const size_t at = name.rfind(kSeparator);
  if (at != std::string_view::npos) {
    const std::string_view profile = name.substr(at + kSeparator.size());
    if (ParseProfileName(profile)) return {std::string(name.substr(0, at)), std::string(profile)};
  }
  return {std::string(name), ""};
}

}  // namespace migprof::mig
