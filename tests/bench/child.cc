// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/child.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

namespace migprof::bench {

ChildResult RunChild(const std::vector<std::string>& command,
                     const std::vector<std::pair<std::string, std::string>>& environment) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = vfork();
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    // The environment of the parent is changed for the moment of the exec: vfork stops the parent meanwhile.
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  for (const auto& [name, value] : environment) unsetenv(name.c_str());
  ChildResult result;
  int status = 0;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) < 0) return result;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.seconds = elapsed.count();
  result.faults = usage.ru_minflt;
  result.peak_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  return result;
}

}  // namespace migprof::bench
