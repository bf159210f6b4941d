// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// The path of this process' input file.
const std::string& FuzzInputPath();

// Takes the trace at that path through scan, join, dump and every renderer, checks that the numbers agree with each
// other, and removes it.
void UseTrace();
