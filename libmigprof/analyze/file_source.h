// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "libmigprof/format/byte_stream.h"

namespace migprof::analyze {

// A trace file on disk, read with pread: a file that is still being written, or shrinks, is no danger. The size is that
// of the moment of opening.
absl::StatusOr<std::unique_ptr<format::ByteSource>> OpenTraceFile(const std::string& path);

}  // namespace migprof::analyze
