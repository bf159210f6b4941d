// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/isolated_task.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"

namespace migprof::analyze {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitMemory = false;  // sanitizers map terabytes
#else
constexpr bool kLimitMemory = true;
#endif

void SetLimit(__rlimit_resource resource, uint64_t value) {
  const rlimit limit{value, value};
  setrlimit(resource, &limit);
}

[[noreturn]] void RunChild(const std::function<void(int)>& task, const TaskLimits& limits, int descriptor) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int number : {SIGINT, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPIPE}) signal(number, SIG_DFL);
  SetLimit(RLIMIT_CORE, 0);
  SetLimit(RLIMIT_CPU, static_cast<uint64_t>(limits.time.count()) / 1000 + 1);
  if (kLimitMemory) SetLimit(RLIMIT_DATA, limits.memory_bytes);
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard = 0; standard <= 2 && nowhere >= 0; ++standard) dup2(nowhere, standard);
  try {
    task(descriptor);
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

// Reads until the end or a limit; says which limit.
std::string Collect(int descriptor, const TaskLimits& limits, std::string* output) {
  const Clock::time_point deadline = Clock::now() + limits.time;
  char block[64 * 1024];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return absl::StrCat("took longer than ", limits.time.count() / 1000, " s");
    pollfd ready{descriptor, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(std::min<int64_t>(left, 1'000'000))) <= 0) continue;
    const ssize_t got = read(descriptor, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return "";
    output->append(block, static_cast<size_t>(got));
    if (output->size() > limits.output_bytes) return "gave more than can be true";
  }
}

std::string DescribeEnd(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("ended with signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return absl::StrCat("ended with status ", WEXITSTATUS(status));
  return "";
}

}  // namespace

TaskResult RunIsolated(const std::function<void(int descriptor)>& task, const TaskLimits& limits) {
  TaskResult result;
  int ends[2];
  pid_t child;
  {
    // A child that is forked while this thread holds both ends would keep the pipe open beyond its own child's end.
    static std::mutex forking;
    const std::lock_guard lock(forking);
    if (pipe2(ends, O_CLOEXEC) != 0) return {"", absl::StrCat("could not be started: ", std::strerror(errno))};
    child = fork();
    if (child == 0) {
      close(ends[0]);
      RunChild(task, limits, ends[1]);
    }
    close(ends[1]);
  }
  if (child < 0) {
    close(ends[0]);
    return {"", absl::StrCat("could not be started: ", std::strerror(errno))};
  }
  result.failure = Collect(ends[0], limits, &result.output);
  close(ends[0]);
  if (!result.failure.empty()) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (result.failure.empty()) result.failure = DescribeEnd(status);
  return result;
}

}  // namespace migprof::analyze
