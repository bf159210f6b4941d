// SPDX-License-Identifier: Apache-2.0
// Symbol names as people want to read them.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migprof::analyze {

// The C++ name behind a mangled one; the name itself if it is not mangled or cannot be demangled.
std::string Demangle(absl::string_view name);

// A demangled function name cut down to what tells it from its neighbours: without return type, parameter list and
// attributes in brackets, and with template arguments beyond a few characters replaced by "…". The whole name belongs
// in a tooltip.
//   "void at::native::elementwise_kernel<128, 4, lambda>(int, lambda)"  ->  "at::native::elementwise_kernel<128, 4, …>"
std::string ShortName(absl::string_view demangled);

}  // namespace migprof::analyze
