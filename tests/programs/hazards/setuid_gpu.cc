// SPDX-License-Identifier: Apache-2.0
// A program that works with a GPU and is to be made setuid: it finds its libraries without the environment's help.
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdio>

#include "tests/programs/hazards/hazards.h"

int main() {
  hazards::Gpu& gpu = hazards::NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  std::printf("secure %lu, user %u, effective %u\n", getauxval(AT_SECURE), getuid(), geteuid());
  return 0;
}
