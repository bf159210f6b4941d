// SPDX-License-Identifier: Apache-2.0
// Running parts of tests in processes of their own: the simulated libraries read their environment once and keep their
// state until the process ends.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace simgpu::test {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct ChildResult {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string errors;  // what it wrote to stderr
};

// Forks, sets `environment`, runs `body` and exits with 1 if an expectation in it failed, else with 0. Failures are
// printed by the child. The calling process must not have used the simulated libraries itself.
ChildResult RunInChild(const Environment& environment, const std::function<void()>& body);

// Starts `program` with the simulated libraries in its search path; its output goes to `output` where that is not null.
ChildResult RunProgram(const Environment& environment, const std::vector<std::string>& command,
                       std::string* output = nullptr);

// RunInChild, and expects that nothing failed.
void InChild(const Environment& environment, const std::function<void()>& body);
void InChild(const std::function<void()>& body);

// A file name, different for each call; nothing is there. What is there after the tests is removed.
std::string TemporaryFile(const std::string& suffix);

// Where the simulated libraries of this build are.
std::string LibraryFolder();
// SIMGPU_TOPOLOGY for a topology that is shipped.
std::pair<std::string, std::string> Topology(const std::string& name);

}  // namespace simgpu::test
