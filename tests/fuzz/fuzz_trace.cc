// SPDX-License-Identifier: Apache-2.0
// A trace file of any bytes. Checksums keep most of them out; fuzz_chunks gets behind those.
#include <cstdint>
#include <fstream>

#include "tests/fuzz/use_trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::ofstream(FuzzInputPath(), std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  UseTrace();
  return 0;
}
