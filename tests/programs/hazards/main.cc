// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>

#include "tests/programs/hazards/hazards.h"

int main(int argc, char** argv) {
  using namespace hazards;
  for (const auto& family : {Devices(), Endings(), Kernel(), Processes(), Stacks(), Surroundings(), Threads()}) {
    for (const Hazard& hazard : family) {
      if (argc > 1 && std::strcmp(argv[1], hazard.name) == 0) return hazard.run(argc > 2 ? argv[2] : "");
    }
  }
  std::fprintf(stderr, "usage: hazards NAME [ARGUMENT]\n");
  return 2;
}
