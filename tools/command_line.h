// SPDX-License-Identifier: Apache-2.0
// What all the commands have in common.
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>

namespace migprof::tools {

// Exit status after wrong use, as `env` and `timeout` have it. Told apart from every status that means something.
inline constexpr int kWrongUse = 125;

// An option without value that sets `*variable` to false. CLI11's own, "!--no-…", shows "{false}" in the help.
inline void AddOffFlag(CLI::App* app, const char* name, bool* variable, const char* help) {
  app->add_flag_callback(
      name, [variable] { *variable = false; }, help);
}

// Reads the arguments. Returns whether the command goes on; otherwise `*status` is how it ends (after --help, or after
// saying what is wrong).
inline bool ParseCommandLine(CLI::App* app, int argc, char** argv, int* status) {
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *status = app->exit(error) == 0 ? 0 : kWrongUse;
    return false;
  }
  return true;
}

// From here on, the program ends with a sentence and status 1 when memory runs out.
inline void EndWhenMemoryRunsOut() {
  std::set_new_handler([] {
    constexpr char kText[] = "migprof: there is not enough memory\n";
    static_cast<void>(!write(STDERR_FILENO, kText, sizeof(kText) - 1));
    _exit(1);
  });
}

// Whether everything printed has arrived. Says so if not; a reader that went away early (a closed pipe) is no failure.
inline bool FlushStdout(const char* command) {
  errno = 0;
  std::cout.flush();
  if (std::cout || errno == EPIPE) return true;
  std::cerr << command << ": writing to stdout failed: " << std::strerror(errno) << "\n";
  return false;
}

}  // namespace migprof::tools
