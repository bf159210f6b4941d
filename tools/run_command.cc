// SPDX-License-Identifier: Apache-2.0
#include "tools/run_command.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/analysis.h"
#include "libmigprof/base/options.h"
#include "tools/command_line.h"

extern char** environ;

namespace migprof::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kCannotStart = 127;
constexpr int kNoLibrary = kWrongUse;

volatile sig_atomic_t g_child = 0;

// The build and the installation have the same shape: bin/migprof beside lib/libmigprof.so.
std::string FindLibrary(const std::string& wanted) {
  std::error_code error;
  if (!wanted.empty()) return fs::exists(wanted, error) ? fs::absolute(wanted).string() : "";
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (const char* folder : {"../lib", "../lib64", "."}) {
    const fs::path candidate = self.parent_path() / folder / "libmigprof.so";
    if (fs::exists(candidate, error)) return fs::canonical(candidate, error).string();
  }
  return "";
}

std::set<std::string> TracesIn(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return {};
  std::vector<analyze::Problem> ignored;
  const std::vector<std::string> files = analyze::FindTraces({folder}, &ignored);
  return {files.begin(), files.end()};
}

void SetUpEnvironment(const std::string& library, const std::string& traces) {
  // The loader takes spaces and colons for separators. The driver alone is then the way in.
  if (library.find_first_of(" :") == std::string::npos) {
    const char* preload = std::getenv("LD_PRELOAD");
    std::string all = preload != nullptr && *preload != '\0' ? absl::StrCat(library, ":", preload) : library;
    // Then it comes before libcupti also where the program itself is linked to that.
    const fs::path yield = fs::path(library).parent_path() / "libmigprof-yield.so";
    std::error_code missing;
    if (ReadOptions(environ, nullptr).yield && fs::exists(yield, missing)) absl::StrAppend(&all, ":", yield.string());
    setenv("LD_PRELOAD", all.c_str(), 1);
  }
  // The library loads the one that was to be injected.
  std::error_code error;
  const char* const other = std::getenv("CUDA_INJECTION64_PATH");
  if (other != nullptr && *other != '\0' && !fs::equivalent(other, library, error)) setenv("MIGPROF_CHAIN", other, 1);
  setenv("CUDA_INJECTION64_PATH", library.c_str(), 1);
  setenv("MIGPROF_OUTPUT", traces.c_str(), 1);
}

// Interrupts from the terminal reach the program by themselves, being in the same process group; this process must
// outlive them to merge what was recorded. What is sent to this process alone is passed on.
void ForwardSignals() {
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM}) {
    struct sigaction action {};
    action.sa_sigaction = [](int received, siginfo_t* info, void*) {
      const bool from_terminal = info->si_code == SI_KERNEL;
      if (g_child > 0 && !from_terminal) kill(g_child, received);
    };
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigaction(number, &action, nullptr);
  }
  signal(SIGPIPE, SIG_IGN);  // whoever read the table may have gone; the status is the program's all the same
}

int StatusOf(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// Runs the command to its end; returns its exit status in the way of shells.
int Execute(const RunOptions& options, const std::string& library, const std::string& traces) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  // A signal between the fork and ForwardSignals waits until there is somebody to forward it to.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = fork();
  if (child < 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    std::cerr << "migprof: cannot fork: " << std::strerror(errno) << "\n";
    return kCannotStart;
  }
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    SetUpEnvironment(library, traces);
    execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "migprof: %s: %s\n", arguments[0], std::strerror(errno));
    _exit(kCannotStart);
  }
  g_child = child;
  ForwardSignals();
  sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  g_child = 0;
  return StatusOf(status);
}

void ExplainMissingTrace() {
  std::cerr << "migprof: no trace was written: ";
  if (dlopen("libcuda.so.1", RTLD_LAZY) == nullptr) {
    std::cerr << "there is no NVIDIA driver here (libcuda.so.1 is not found)\n";
  } else if (!ReadOptions(environ, nullptr).start) {
    std::cerr
        << "recording was never started (MIGPROF_START=off waits for migprof_start or `migprof start PID`), or the "
           "program made no CUDA context\n";
  } else {
    std::cerr
        << "the program made no CUDA context, or replaced or ended itself (exec, _exit, a signal) within moments, "
           "or recording did not start, which it then says itself\n";
  }
}

}  // namespace

int Run(const RunOptions& options) {
  const std::string library = FindLibrary(options.library);
  if (library.empty()) {
    if (!options.library.empty()) {
      std::cerr << "migprof: there is no " << options.library << "\n";
    } else {
      std::cerr
          << "migprof: libmigprof.so is not where it belongs, in ../lib beside this program; name it with --library\n";
    }
    return kNoLibrary;
  }
  std::string traces = options.traces;
  if (traces.empty()) traces = ReadOptions(environ, nullptr).output.data();
  std::error_code error;
  traces = fs::absolute(traces, error).string();
  const std::set<std::string> before = TracesIn(traces);
  const int status = Execute(options, library, traces);
  if (status == kCannotStart) return status;

  std::vector<std::string> fresh;
  for (const std::string& path : TracesIn(traces)) {
    if (before.find(path) == before.end()) fresh.push_back(path);
  }
  if (fresh.empty()) {
    ExplainMissingTrace();
  } else if (options.merge) {
    MergeOptions merge = options.merge_options;
    merge.inputs = fresh;
    const int merged = Merge(merge);
    if (merge.strict && status == 0) return merged;
  } else {
    std::cerr << "migprof: " << fresh.size() << " trace file(s) in " << traces << "\n";
  }
  return status;
}

}  // namespace migprof::tools
