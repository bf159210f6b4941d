// SPDX-License-Identifier: Apache-2.0
#include "tools/control_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "libmigprof/base/clock.h"
#include "tools/command_line.h"

namespace migprof::tools {
namespace {

// The number of a process in its own PID namespace, which may be a container's.
pid_t OwnNumber(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("NSpid:", 0) != 0) continue;
    std::istringstream numbers(line.substr(6));
    pid_t innermost = pid;
    for (pid_t number = 0; numbers >> number;) innermost = number;
    return innermost;
  }
  return pid;
}

// MIGPROF_CONTROL of a process; empty when it is not set.
std::string ChosenFolder(pid_t pid) {
  std::ifstream environment(absl::StrCat("/proc/", pid, "/environ"), std::ios::binary);
  const std::string name = "MIGPROF_CONTROL=";
  for (std::string entry; std::getline(environment, entry, '\0');) {
    if (entry.rfind(name, 0) == 0) return entry.substr(name.size());
  }
  return "";
}

// Why a process does not answer, where the kernel knows it: ": …", else empty.
std::string WhySilent(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line, '\0');
  // The name before the state may hold anything, also parentheses and line ends.
  const size_t name_end = line.rfind(") ");
  const char state = name_end != std::string::npos && name_end + 2 < line.size() ? line[name_end + 2] : '\0';
  if (state == 'T') return absl::StrCat(": it is stopped, by Ctrl-Z or SIGSTOP; `kill -CONT ", pid, "` has it go on");
  if (state == 't') return ": it is stopped by a debugger";
  return "";
}

// Returns what is wrong, in words; nothing when the process has obeyed.
std::optional<std::string> ControlOne(const ControlOptions& options, pid_t pid) {
  struct stat process;
  const std::string proc = absl::StrCat("/proc/", pid);
  if (stat(proc.c_str(), &process) != 0) return "there is no such process";
  const std::string chosen = ChosenFolder(pid);
  if (chosen == "off") return "it was started with MIGPROF_CONTROL=off";
  // A container has files of its own; its view needs the right to look into the process, which its user has.
  std::string folder = ControlFolder(chosen, process.st_uid);
  struct stat own_root, its_root;
  if (stat((proc + "/root/").c_str(), &its_root) == 0 && stat("/", &own_root) == 0 &&
      (its_root.st_ino != own_root.st_ino || its_root.st_dev != own_root.st_dev)) {
    folder = proc + "/root" + folder;
  }
  ControlFiles files(folder, OwnNumber(pid));
  if (!files.ReadState())
    return "it is not under migprof, has not initialised CUDA, has stopped recording for good, or belongs to somebody "
           "else";
  const ControlCommand command = {options.verb, RealtimeNs()};
  if (const Error error = files.Ask(command, process.st_uid); !error.ok()) {
    return absl::StrCat(error.what, ": ", std::strerror(error.code));
  }
  const uint64_t deadline = MonotonicNs() + static_cast<uint64_t>(options.timeout_seconds * 1e9);
  while (MonotonicNs() < deadline) {
    const std::optional<ControlState> state = files.ReadState();
    if (!state) return "it ended, or has stopped recording for good";
    if (state->ticket == command.ticket) {
      if (!state->succeeded) return "it could not: recording has come to its end";
      std::cout << pid << ": " << (state->recording ? "recording" : "stopped")
                << (options.verb == ControlVerb::kFlush ? ", flushed" : "") << "\n";
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  files.Withdraw();
  return absl::StrCat("it did not answer within ", options.timeout_seconds, " s", WhySilent(pid));
}

}  // namespace

int Control(const ControlOptions& options) {
  bool all = true;
  for (const pid_t pid : options.pids) {
    const std::optional<std::string> trouble = ControlOne(options, pid);
    if (!trouble) continue;
    std::cerr << "migprof " << ControlVerbName(options.verb) << ": " << pid << ": " << *trouble << "\n";
    all = false;
  }
  return FlushStdout("migprof") && all ? 0 : 1;
}

}  // namespace migprof::tools
