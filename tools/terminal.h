// SPDX-License-Identifier: Apache-2.0
// What stdout can show.
#pragma once

#include <cstddef>

namespace migprof::tools {

// Cells per line; `otherwise` where stdout is no terminal.
size_t TerminalWidth(size_t otherwise);

// Whether the locale's characters are UTF-8.
bool IsUtf8Locale();

// Whether stdout is a terminal that understands escape sequences, and nobody objects (NO_COLOR).
bool WantsColour();

}  // namespace migprof::tools
