// SPDX-License-Identifier: Apache-2.0
// `migprof slices`: the GPUs of this host, how they are cut, and who uses the slices.
#pragma once

namespace migprof::tools {

struct SlicesOptions {
  bool json = false;
  bool schema = false;  // print the JSON Schema of the former instead
};

// Exit status: 0 when a driver was asked, whatever it answered; 1 when none could be, or stdout could not be written.
int Slices(const SlicesOptions& options);

}  // namespace migprof::tools
