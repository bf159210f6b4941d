// SPDX-License-Identifier: Apache-2.0
// Which build of a program an ELF file is.
#pragma once

#include <string>

namespace migprof::analyze {

// The build id of the 64-bit ELF file open as `descriptor`, in hexadecimal; empty where there is none or the file makes
// no sense. Reads a bounded part of the file with pread. Any thread.
std::string ReadBuildId(int descriptor);

// Opens `path` for reading if it is a regular file, without waiting for anything; -1 otherwise. The caller closes it.
int OpenRegularFile(const std::string& path);

}  // namespace migprof::analyze
