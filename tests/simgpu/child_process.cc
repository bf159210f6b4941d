// SPDX-License-Identifier: Apache-2.0
#include "tests/simgpu/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

// Read by ThreadSanitizer where the tests are built with it, which otherwise lets every child sleep for a second at its
// end.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }

namespace simgpu::test {
namespace {

// Variables of the simulated GPU that the caller's own environment may hold.
constexpr const char* kVariables[] = {"SIMGPU_TOPOLOGY",  "SIMGPU_LEDGER",        "SIMGPU_LEDGER_SYNC",
                                      "SIMGPU_CLOCK",     "SIMGPU_FAULTS",        "SIMGPU_KERNELS",
                                      "SIMGPU_CUPTI_API", "CUDA_VISIBLE_DEVICES", "CUDA_INJECTION64_PATH"};

void SetEnvironment(const Environment& environment) {
  for (const char* const variable : kVariables) unsetenv(variable);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
}

std::string g_temporary_folder;

// The folder of temporary files, there for as long as tests run.
class TemporaryFolder : public testing::Environment {
 public:
  void SetUp() override {
    g_temporary_folder = testing::TempDir() + "simgpu_test.XXXXXX";
    ASSERT_NE(mkdtemp(g_temporary_folder.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(g_temporary_folder); }
};
[[maybe_unused]] const testing::Environment* const g_environment =
    testing::AddGlobalTestEnvironment(new TemporaryFolder);

std::string ReadAll(int file) {
  std::string text;
  char buffer[4096];
  for (ssize_t bytes; (bytes = read(file, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<size_t>(bytes));
  return text;
}

// Expectations of the test in progress that have failed so far.
int Failures() {
  const testing::TestResult& result = *testing::UnitTest::GetInstance()->current_test_info()->result();
  int failures = 0;
  for (int i = 0; i < result.total_part_count(); ++i) failures += result.GetTestPartResult(i).failed() ? 1 : 0;
  return failures;
}

// Forks a child whose stderr (and stdout, where `output` is not null) go into files, so that no pipe can fill up.
ChildResult Fork(const std::function<void()>& in_child, std::string* output) {
  std::fflush(nullptr);
  const std::string errors_file = TemporaryFile(".stderr");
  const std::string output_file = TemporaryFile(".stdout");
  const int failures_before = Failures();
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(open(errors_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    if (output != nullptr) dup2(open(output_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    in_child();
    std::fflush(nullptr);
    std::exit(Failures() > failures_before ? 1 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  ChildResult result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  const int errors = open(errors_file.c_str(), O_RDONLY);
  result.errors = ReadAll(errors);
  close(errors);
  unlink(errors_file.c_str());
  if (output != nullptr) {
    const int file = open(output_file.c_str(), O_RDONLY);
    *output = ReadAll(file);
    close(file);
    unlink(output_file.c_str());
  }
  return result;
}

}  // namespace

ChildResult RunInChild(const Environment& environment, const std::function<void()>& body) {
  return Fork(
      [&] {
        SetEnvironment(environment);
        body();
      },
      nullptr);
}

ChildResult RunProgram(const Environment& environment, const std::vector<std::string>& command, std::string* output) {
  std::string captured;
  const ChildResult result = Fork(
      [&] {
        SetEnvironment(environment);
        setenv("LD_LIBRARY_PATH", LibraryFolder().c_str(), 1);
        std::vector<char*> arguments;
        for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
        arguments.push_back(nullptr);
        execv(arguments[0], arguments.data());
        std::perror(arguments[0]);
        _exit(127);
      },
      output != nullptr ? output : &captured);
  return result;
}

void InChild(const Environment& environment, const std::function<void()>& body) {
  const ChildResult result = RunInChild(environment, body);
  EXPECT_EQ(result.signal, 0) << result.errors;
  EXPECT_EQ(result.exit_code, 0) << result.errors;
}

void InChild(const std::function<void()>& body) { InChild({}, body); }

std::string TemporaryFile(const std::string& suffix) {
  static std::atomic<int> next{0};
  return g_temporary_folder + "/" + std::to_string(getpid()) + "." + std::to_string(next++) + suffix;
}

std::string LibraryFolder() { return SIMGPU_TEST_LIBRARIES; }

std::pair<std::string, std::string> Topology(const std::string& name) {
  return {"SIMGPU_TOPOLOGY", LibraryFolder() + "/topologies/" + name + ".json"};
}

}  // namespace simgpu::test
