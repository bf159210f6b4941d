// SPDX-License-Identifier: Apache-2.0
// Names of functions and kernels, from symbol tables and traces that nobody vouches for.
#include <algorithm>
#include <cstdint>
#include <string>

#include "libmigprof/analyze/demangle.h"
#include "libmigprof/analyze/python_splice.h"
#include "libmigprof/analyze/tensor_core_names.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace analyze = migprof::analyze;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string demangled = analyze::Demangle(text);
  Check(demangled == analyze::Demangle(text), "a name always demangles alike");
  Check(text.starts_with("_Z") || text.find("_Z") != std::string::npos || demangled == text,
        "what is not mangled stays as it is");
  for (const std::string& name : {demangled, text}) {
    const std::string shorter = analyze::ShortName(name);
    // ", …" takes five bytes, and may stand for one.
    const auto lists = static_cast<size_t>(std::count(name.begin(), name.end(), '<'));
    Check(shorter.size() <= name.size() + 4 * lists, "a short name is not longer but for its ellipses");
    Check(!shorter.empty() || name.find_first_not_of(' ') == std::string::npos, "a short name is not empty");
    Check(shorter == analyze::ShortName(name), "a name is always cut alike");
  }
  analyze::UsesTensorCores(text);
  analyze::IsInstructionHandler(text);
  const size_t middle = text.size() / 2;
  analyze::RoleOf(text.substr(0, middle), text.substr(middle));
  return 0;
}
