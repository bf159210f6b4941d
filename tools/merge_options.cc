// SPDX-License-Identifier: Apache-2.0
#include "tools/merge_options.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/command_line.h"

namespace migprof::tools {
namespace {

// Checks one name of a comma list. CLI11's own check prints all it knows as {a,b}.
CLI::Validator OneOf(const char* what, const std::vector<std::string>& known) {
  const auto check = [what, known](const std::string& name) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return std::string();
    return absl::StrCat("there is no ", what, " '", name, "'; there are ", absl::StrJoin(known, ", "));
  };
  return CLI::Validator(check, "");
}

}  // namespace

void AddMergeOptions(CLI::App* app, MergeOptions* options) {
  app->add_option("-o,--output", options->output, "folder for the results")->capture_default_str();
  app->add_option("--format", options->formats,
                  absl::StrCat("what to write: a comma list of ", absl::StrJoin(KnownFormats(), ", ")))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(OneOf("format", KnownFormats()))
      ->default_str(absl::StrJoin(options->formats, ","));
  app->add_option(
         "--view", options->views,
         "what flamegraphs and folded stacks are of: a comma list of gpu, the time of what ran; idle, the time\n"
         "in which nothing did, by the code that ended it; and memory, the bytes of device memory that were\n"
         "live when most was, by the code that allocated them")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(OneOf("view", KnownViews()))
      ->default_str(absl::StrJoin(options->views, ","));
  app->add_flag("--show-internals", options->show_internals,
                "also show how CUDA's libraries, start-up code and launch stubs call each other");
  app->add_flag("--show-interpreter", options->show_interpreter,
                "also show the Python interpreter's own C functions between Python frames");
  app->add_option("--nvtx", options->nvtx, "ranges that the program opened (NVTX, migprof_push): frames, or off")
      ->check(CLI::IsMember({"frames", "off"}))
      ->capture_default_str();
  app->add_flag("--lines", options->split_lines, "one frame per line of a function: \"function (file.cc:123)\"");
  AddOffFlag(app, "--no-inline", &options->show_inlined, "leave out functions that the compiler inlined");
  app->add_option("--debug-dir", options->debug_folders,
                  "folder to search for debug information by build id, before all other places; may be repeated")
      ->allow_extra_args(false);
  AddOffFlag(app, "--no-debug-info", &options->debug_info,
             "read no debug information: only the function names that are in the traces");
  app->add_flag("--anonymize", options->anonymize,
                "write numbers without names: functions, modules, files, kernels, ranges, processes, hosts and UUIDs\n"
                "become function_1, host_1, … in order of weight; the output is a new folder");
  app->add_flag("--strict", options->strict, "fail if anything was lost, unmatched or damaged");
  app->add_flag("-q,--quiet", options->quiet, "no progress bar, no list of files");
  AddOffFlag(app, "--no-table", &options->table, "no table on stdout");
  app->add_option("-j,--threads", options->threads, "threads to use; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

}  // namespace migprof::tools
