// SPDX-License-Identifier: Apache-2.0
#include "tools/top_command.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "libmigprof/mig/live_reader.h"
#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/render/live_metrics.h"
#include "libmigprof/render/top_json.h"
#include "libmigprof/render/top_text.h"
#include "tools/command_line.h"
#include "tools/live_sampler.h"
#include "tools/metrics_server.h"
#include "tools/terminal.h"
#include "tools/terminal_screen.h"
#include "tools/top_view.h"

namespace migprof::tools {
namespace {

constexpr char kName[] = "migprof top";
constexpr size_t kPipedWidth = 120;
// So much patience with a driver that hangs when the user wants to leave.
constexpr std::chrono::milliseconds kPatience(500);
// How often a screen is drawn without news: what it says of the driver's silence gets older.
constexpr int kTickMilliseconds = 1000;

uint64_t UnixNanoseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

std::chrono::nanoseconds Interval(const TopOptions& options) {
  return std::chrono::nanoseconds(static_cast<int64_t>(options.interval_seconds * 1e9));
}

void PrintTable(const mig::LiveSample& sample, const TopOptions& options) {
  render::TopTextOptions text;
  text.width = TerminalWidth(kPipedWidth);
  text.sort = render::FindTopSort(options.sort).value_or(render::TopSort::kSlice);
  text.only_used = options.only_used;
  text.ascii = !IsUtf8Locale();
  text.colour = WantsColour();
  const render::TopTable table = render::FormatTop(sample, text);
  for (const std::string& note : table.notes) {
    if (note != sample.problem) std::cout << note << '\n';
  }
  if (!table.heading.empty()) std::cout << table.heading << '\n';
  for (const std::string& row : table.rows) std::cout << row << '\n';
}

void Print(const mig::LiveSample& sample, const TopOptions& options) {
  if (options.json) {
    render::WriteTopJson(sample, options.once ? 2 : -1, std::cout);
  } else {
    PrintTable(sample, options);
    if (!options.once) std::cout << '\n';
  }
  if (!sample.problem.empty()) std::cerr << kName << ": " << sample.problem << "\n";
}

int Once(const mig::NvmlApi& nvml, const TopOptions& options) {
  mig::NvmlCounterApi counters;
  mig::FindNvmlCounters(&counters);
  mig::LiveReader reader(nvml, counters);
  mig::LiveSample sample = reader.Read();
  if (sample.problem.empty() && reader.HasCounters()) {
    std::this_thread::sleep_for(Interval(options));
    sample = reader.Read();
  }
  Print(sample, options);
  return FlushStdout(kName) && sample.problem.empty() ? 0 : 1;
}

// Signals as something to read: nothing happens in a handler. Inherited by all threads that start later.
int BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

class Loop {
 public:
  Loop(const TopOptions& options, LiveSampler* sampler, int signals, bool with_screen)
      : options_(options), sampler_(*sampler), signals_(signals), view_(*render::FindTopSort(options.sort)) {
    if (with_screen) screen_.emplace();
    view_.set_ascii(!IsUtf8Locale());
    view_.set_colour(WantsColour());
    if (options.only_used) view_.Type("i");
  }

  void set_served_at(const std::string& address) {
    view_.set_served_at(address);
    is_served_ = true;
  }

  int Run() {
    for (;;) {
      if (screen_) DrawScreen();
      pollfd sources[] = {{signals_, POLLIN, 0}, {sampler_.event(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      const nfds_t count = screen_ && !input_ended_ ? 3 : 2;
      poll(sources, count, screen_ ? kTickMilliseconds : -1);
      if ((sources[0].revents & POLLIN) != 0 && !TakeSignals()) return 0;
      if ((sources[1].revents & POLLIN) != 0) {
        if (const std::optional<int> status = TakeSample()) return *status;
      }
      if (count == 3 && sources[2].revents != 0 && !TakeKeys()) return 0;
    }
  }

 private:
  void DrawScreen() {
    const ScreenSize size = TerminalSize();
    const auto interval = static_cast<uint64_t>(Interval(options_).count());
    screen_->Show(view_.Draw(shown_.get(), UnixNanoseconds(), interval, size.width, size.height), size.height);
  }

  // False when it is time to go.
  bool TakeSignals() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGWINCH) continue;
      if (info.ssi_signo != SIGTSTP) return false;
      if (screen_) screen_->Leave();
      raise(SIGSTOP);
      if (screen_) screen_->Enter();
    }
    return true;
  }

  std::optional<int> TakeSample() {
    uint64_t news = 0;
    [[maybe_unused]] const ssize_t got = read(sampler_.event(), &news, sizeof(news));
    const std::shared_ptr<const mig::LiveSample> sample = sampler_.Latest();
    const bool is_first = std::exchange(has_sample_, true) == false;
    // A driver that goes away later may come back; without one at the beginning there is nothing to wait for.
    if (is_first && !sample->problem.empty()) {
      screen_.reset();
      if (options_.json) render::WriteTopJson(*sample, -1, std::cout);
      std::cerr << kName << ": " << sample->problem << "\n";
      FlushStdout(kName);
      return 1;
    }
    if (!view_.is_paused() || shown_ == nullptr) shown_ = sample;
    if (screen_ || (is_served_ && !options_.json)) return std::nullopt;
    Print(*sample, options_);
    if (!FlushStdout(kName)) return 1;
    if (!std::cout) return 0;  // the reader went away
    return std::nullopt;
  }

  bool TakeKeys() {
    char keys[64];
    const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
    if (count <= 0) {
      input_ended_ = true;  // without keys it still shows
      return true;
    }
    return view_.Type(std::string_view(keys, static_cast<size_t>(count))) != TopView::Action::kQuit;
  }

  const TopOptions& options_;
  LiveSampler& sampler_;
  const int signals_;
  std::optional<TerminalScreen> screen_;
  TopView view_;
  bool is_served_ = false;
  bool has_sample_ = false;
  bool input_ended_ = false;
  std::shared_ptr<const mig::LiveSample> shown_;
};

std::string MetricsText(const LiveSampler& sampler, render::MetricFormat format) {
  const std::shared_ptr<const mig::LiveSample> sample = sampler.Latest();
  std::ostringstream text;
  render::WriteMetrics(sample ? render::LiveMetrics(*sample, UnixNanoseconds()) : std::vector<render::MetricFamily>(),
                       format, text);
  return std::move(text).str();
}

int Watch(const mig::NvmlApi& nvml, const TopOptions& options) {
  const int signals = BlockSignals();
  auto sampler = std::make_unique<LiveSampler>(Interval(options));
  std::unique_ptr<MetricsServer> server;
  if (!options.openmetrics.empty()) {
    std::string problem;
    const auto source = [&sampler = *sampler](render::MetricFormat format) { return MetricsText(sampler, format); };
    server = StartMetricsServer(options.openmetrics, source, &problem);
    if (server == nullptr) {
      std::cerr << kName << ": " << problem << "\n";
      return 1;
    }
    if (!server->is_loopback()) {
      std::cerr << kName << ": WARNING: everybody who reaches " << server->address()
                << " can read which slices, processes and pods this host has: there is no password and no encryption\n";
    }
    std::cerr << kName << ": metrics at http://" << server->address() << "/metrics" << std::endl;
  }
  sampler->Start(nvml);
  int status = 0;
  {
    Loop loop(options, sampler.get(), signals, CanShowScreen() && !options.json);
    if (server) loop.set_served_at(server->address());
    status = loop.Run();
  }
  server.reset();
  if (sampler->Stop(kPatience)) return status;
  // The driver hangs, and nobody can wait for that: not even the destructor.
  std::cout.flush();
  _exit(status);
}

// The same, where there is no NVML.
int WithoutDriver(const TopOptions& options) {
  mig::LiveSample sample;
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) == 0) sample.host = name;
  sample.problem = mig::ExplainNoDriver(0);
  sample.time_ns = UnixNanoseconds();
  if (options.json) render::WriteTopJson(sample, options.once ? 2 : -1, std::cout);
  std::cerr << kName << ": " << sample.problem << "\n";
  FlushStdout(kName);
  return 1;
}

}  // namespace

int Top(const TopOptions& options) {
  if (options.schema) {
    render::WriteTopSchema(std::cout);
    return FlushStdout(kName) ? 0 : 1;
  }
  mig::NvmlApi nvml;
  if (!mig::LoadNvml(&nvml).ok()) return WithoutDriver(options);
  return options.once ? Once(nvml, options) : Watch(nvml, options);
}

}  // namespace migprof::tools
