// SPDX-License-Identifier: Apache-2.0
// migprof: the front door.
#include <algorithm>
#include <iostream>
#include <utility>

#include "libmigprof/base/options.h"
#include "tools/command_line.h"
#include "tools/control_command.h"
#include "tools/merge_options.h"
#include "tools/run_command.h"
#include "tools/slices_command.h"
#include "tools/top_command.h"

int main(int argc, char** argv) {
  CLI::App app{
      "A profiler for NVIDIA MIG slices: what each slice spent its time on, down to the code that launched it."};
  app.name("migprof");
  app.set_version_flag("--version", MIGPROF_VERSION);
  app.require_subcommand(1);

  migprof::tools::RunOptions run_options;
  CLI::App* run = app.add_subcommand("run",
                                     "run a program under the recorder, then merge and show what was "
                                     "recorded:\nmigprof run [OPTIONS] -- COMMAND [ARGUMENT ...]");
  run->prefix_command();
  run->add_option("--traces", run_options.traces,
                  "folder for the trace files (default: MIGPROF_OUTPUT, or migprof-traces)");
  migprof::tools::AddOffFlag(run, "--no-merge", &run_options.merge, "leave the trace files as they are");
  run->add_option("--library", run_options.library, "the libmigprof.so to use (default: the one beside this program)");
  migprof::tools::AddMergeOptions(run, &run_options.merge_options);
  run->footer(
      "Exit status: that of COMMAND, or 2 when that is 0 and --strict finds anything lost; 128 + n if signal n ended "
      "it; 127 if it cannot be started; 125 after wrong use.");

  migprof::tools::SlicesOptions slices_options;
  CLI::App* slices = app.add_subcommand(
      "slices", "show every GPU of this host or container, how MIG cuts it, and which processes use the slices");
  slices->add_flag("--json", slices_options.json, "for programs; --schema describes it");
  slices->add_flag("--schema", slices_options.schema, "print the JSON Schema of --json");
  slices->footer(
      "Needs no privilege. Placements, free slices and slices of others are shown to root only.\n"
      "Exit status: 0 when a driver was asked, whatever it answered; 1 when there is none, or none that answers; 125 "
      "after wrong use.");

  migprof::tools::TopOptions top_options;
  CLI::App* top = app.add_subcommand("top", "show what the slices of this host or container do, again and again");
  top->add_option("--interval", top_options.interval_seconds, "seconds between two readings")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  top->add_option("--sort", top_options.sort, "what is on top: slice, sm, occupancy, tensor, dram, memory, processes")
      ->check(CLI::IsMember({"slice", "sm", "occupancy", "tensor", "dram", "memory", "processes"}))
      ->capture_default_str();
  top->add_flag("--used", top_options.only_used, "leave out slices without processes");
  top->add_flag("--once", top_options.once, "read once, print, and end; NVML is not held open");
  top->add_flag("--json", top_options.json, "for programs; --schema describes it. One line per reading without --once");
  top->add_flag("--schema", top_options.schema, "print the JSON Schema of --json");
  top->add_option("--openmetrics", top_options.openmetrics,
                  "serve metrics for Prometheus at HOST:PORT, or at a PORT of 127.0.0.1")
      ->type_name("ADDR")
      ->excludes("--once");
  top->footer(
      "Needs no privilege and no recorder. Holds NVML open while it runs, which can keep others from changing the MIG\n"
      "mode or resetting a GPU; --once does not.\n"
      "Exit status: 0 after q or a signal; 1 when no driver can be asked; 125 after wrong use.");

  migprof::tools::ControlOptions control_options;
  CLI::App* const start = app.add_subcommand("start", "have running processes record, where they were stopped");
  CLI::App* const stop = app.add_subcommand("stop", "have running processes record nothing until `migprof start`");
  CLI::App* const flush = app.add_subcommand("flush", "have running processes write to their traces what they know");
  for (CLI::App* const control : {start, stop, flush}) {
    control->add_option("PID", control_options.pids, "processes under the recorder, of the same user")->required();
    control->add_option("--timeout", control_options.timeout_seconds, "seconds to wait for each")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    control->footer("Exit status: 0 when all have obeyed; 1 when one has not; 125 after wrong use.");
  }

  CLI::App* options = app.add_subcommand("options", "list the MIGPROF_* environment variables that the recorder obeys");
  // What follows "--" is the command's own, whatever it looks like.
  char** const separator = std::find_if(argv, argv + argc, [](const char* word) { return std::string(word) == "--"; });
  run_options.command.assign(separator == argv + argc ? separator : separator + 1, argv + argc);
  const std::vector<CLI::App*> commands = app.get_subcommands([](CLI::App*) { return true; });
  const bool begins_with_command =
      argc < 2 || argv[1][0] == '-' || std::any_of(commands.begin(), commands.end(), [argv](const CLI::App* command) {
        return command->get_name() == argv[1];
      });
  if (!begins_with_command) {
    std::cerr << "migprof: there is no command '" << argv[1] << "'; there are";
    for (const CLI::App* command : commands) {
      std::cerr << (command == commands.front()  ? " "
                    : command == commands.back() ? " and "
                                                 : ", ")
                << command->get_name();
    }
    std::cerr << "\n";
    return migprof::tools::kWrongUse;
  }
  if (int status = 0; !migprof::tools::ParseCommandLine(&app, static_cast<int>(separator - argv), argv, &status)) {
    return status;
  }

  if (options->parsed()) {
    std::cout << migprof::OptionTableMarkdown();
    return 0;
  }
  if (slices->parsed()) return migprof::tools::Slices(slices_options);
  for (const auto& [command, verb] :
       {std::pair(start, migprof::ControlVerb::kStart), std::pair(stop, migprof::ControlVerb::kStop),
        std::pair(flush, migprof::ControlVerb::kFlush)}) {
    control_options.verb = verb;
    if (command->parsed()) return migprof::tools::Control(control_options);
  }
  if (top->parsed()) return migprof::tools::Top(top_options);
  // Without "--" the command begins at the first word that is no option; nothing may be left over before "--".
  const std::vector<std::string> rest = run->remaining();
  if (!rest.empty() && (!run_options.command.empty() || rest.front().starts_with('-'))) {
    std::cerr << "migprof run: '" << rest.front() << "' is not an option of migprof run\n";
    return migprof::tools::kWrongUse;
  }
  if (run_options.command.empty()) run_options.command = rest;
  if (run_options.command.empty()) {
    std::cerr << "migprof run: no command given\n" << run->help("migprof");
    return migprof::tools::kWrongUse;
  }
  return migprof::tools::Run(run_options);
}
