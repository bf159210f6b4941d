// SPDX-License-Identifier: Apache-2.0
// What the simulated GPU has to say to a human.
#pragma once

namespace simgpu {

// Writes "simgpu: <message>\n" to stderr with one write(2); the line is cut at 500 bytes. Any thread.
void Complain(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace simgpu
