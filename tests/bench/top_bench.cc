// SPDX-License-Identifier: Apache-2.0
// What migprof top costs the host that it watches.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kGpus = 8;
constexpr int kWarmUpSeconds = 2;
constexpr int kMeasuredSeconds = 20;  // with two lists of all slices in it

// UUIDs that differ in a digit.
std::string Renumbered(std::string uuid, int gpu) {
  uuid.back() = static_cast<char>('0' + gpu);
  return uuid;
}

void WriteTopology(const fs::path& path) {
  std::ifstream file(BuiltFile("lib/simgpu/topologies/a100-seven-1g.json"));
  nlohmann::json topology = nlohmann::json::parse(file);
  const nlohmann::json one = topology["gpus"][0];
  topology["gpus"] = nlohmann::json::array();
  for (int gpu = 0; gpu < kGpus; ++gpu) {
    nlohmann::json copy = one;
    copy["uuid"] = Renumbered(one["uuid"], gpu);
    copy["compute_capability"] = "9.0";  // as a Hopper, so that there are counters
    for (nlohmann::json& instance : copy["gpu_instances"]) {
      for (nlohmann::json& compute : instance["compute_instances"]) compute["uuid"] = Renumbered(compute["uuid"], gpu);
    }
    topology["gpus"].push_back(copy);
  }
  std::ofstream(path) << topology;
}

struct Child {
  pid_t pid = -1;
  int terminal = -1;  // what it shows
  int messages = -1;  // its stderr
};

Child Start(const fs::path& topology) {
  Child child;
  int messages[2];
  child.terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (child.terminal < 0 || grantpt(child.terminal) != 0 || unlockpt(child.terminal) != 0 || pipe(messages) != 0) {
    return child;
  }
  const winsize size{70, 160, 0, 0};
  ioctl(child.terminal, TIOCSWINSZ, &size);
  const std::string name = ptsname(child.terminal);
  child.pid = fork();
  if (child.pid == 0) {
    setsid();
    const int terminal = open(name.c_str(), O_RDWR);
    dup2(terminal, STDIN_FILENO);
    dup2(terminal, STDOUT_FILENO);
    dup2(messages[1], STDERR_FILENO);
    setenv("TERM", "xterm", 1);
    setenv("LD_LIBRARY_PATH", BuiltFile("lib/simgpu").c_str(), 1);
    setenv("SIMGPU_TOPOLOGY", topology.c_str(), 1);
    execl(BuiltFile("bin/migprof").c_str(), "migprof", "top", "--openmetrics", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  close(messages[1]);
  child.messages = messages[0];
  return child;
}

// "…127.0.0.1:40211/metrics": the port; 0 when it could not serve.
uint16_t PortIn(int messages) {
  std::string line;
  for (char c; read(messages, &c, 1) == 1 && c != '\n';) line += c;
  const size_t at = line.find("127.0.0.1:");
  return at == std::string::npos ? uint16_t{0} : static_cast<uint16_t>(std::atoi(line.c_str() + at + 10));
}

// Bytes of an answer.
size_t Scrape(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  size_t total = 0;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char text[65536];
    if (write(fd, request.data(), request.size()) > 0) {
      for (ssize_t got; (got = read(fd, text, sizeof(text))) > 0;) total += static_cast<size_t>(got);
    }
  }
  close(fd);
  return total;
}

// What the terminal takes within a second, and a scrape at its end.
size_t LetPass(const Child& child, uint16_t port) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  char text[65536];
  while (std::chrono::steady_clock::now() < end) {
    pollfd source{child.terminal, POLLIN, 0};
    if (poll(&source, 1, 50) > 0) {
      [[maybe_unused]] const ssize_t got = read(child.terminal, text, sizeof(text));
    }
  }
  return port == 0 ? 0 : Scrape(port);
}

double CpuSeconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double PeakMegabytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) / 1000;
  }
  return 0;
}

}  // namespace

void BenchTop(Figures* figures) {
  std::printf(
      "\n== top: migprof top in a terminal of 160 x 70, once a second, and a scrape each second; %d GPUs x 7 slices of "
      "the SIMULATED NVML, whose own work is in it; no processes on them\n",
      kGpus);
  const fs::path topology = fs::temp_directory_path() / ("migprof-bench-top-" + std::to_string(getpid()) + ".json");
  WriteTopology(topology);
  const Child child = Start(topology);
  if (child.pid < 0) return;
  const uint16_t port = PortIn(child.messages);
  for (int second = 0; second < kWarmUpSeconds; ++second) LetPass(child, port);
  const double before = CpuSeconds(child.pid);
  const auto start = std::chrono::steady_clock::now();
  size_t bytes = 0;
  for (int second = 0; second < kMeasuredSeconds; ++second) bytes = LetPass(child, port);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double share = (CpuSeconds(child.pid) - before) / wall;
  const double peak = PeakMegabytes(child.pid);
  kill(child.pid, SIGTERM);
  waitpid(child.pid, nullptr, 0);
  close(child.terminal);
  close(child.messages);
  fs::remove(topology);
  std::printf("%.2f %% of a core over %.0f s, at most %.1f MB resident, %zu bytes per scrape%s\n", share * 100, wall,
              peak, bytes, port == 0 ? " (built without a server)" : "");
  figures->Add("top_cpu_share", share * 100, "%");
  figures->Add("top_rss_mb", peak, "MB");
}

}  // namespace migprof::bench
