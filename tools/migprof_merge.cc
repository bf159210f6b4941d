// SPDX-License-Identifier: Apache-2.0
// migprof-merge: trace files in, pictures and numbers out.
#include "tools/command_line.h"
#include "tools/merge_command.h"

int main(int argc, char** argv) {
  migprof::tools::MergeOptions options;
  std::string formats = "svg,html";
  std::string views = "gpu";
  CLI::App app{
      "Merges migprof traces of any number of processes, slices and hosts into flamegraphs and numbers per slice."};
  app.name("migprof-merge");
  app.set_version_flag("--version", migprof::tools::VersionText(MIGPROF_VERSION));
  app.add_option("INPUT", options.inputs, "trace files, or folders that hold *.migtrace files")->required();
  app.add_option("-o,--output", options.output, "folder for the results")->capture_default_str();
  app.add_option("--format", formats, "what to write: a comma list of svg, html, folded, json, openmetrics")
      ->check(migprof::tools::CheckFormats)
      ->capture_default_str();
  app.add_option(
         "--view", views,
         "what flamegraphs and folded stacks are of: a comma list of gpu, the time of what ran; idle, the time\n"
         "in which nothing did, by the code that ended it; and memory, the bytes of device memory that were\n"
         "live when most was, by the code that allocated them")
      ->check(migprof::tools::CheckViews)
      ->capture_default_str();
  app.add_flag("--show-internals", options.show_internals,
               "also show how CUDA's libraries, start-up code and launch stubs call each other");
  app.add_flag("--show-interpreter", options.show_interpreter,
               "also show the Python interpreter's own C functions between Python frames");
  app.add_option("--nvtx", options.nvtx, "ranges that the program opened (NVTX, migprof_push): frames, or off")
      ->check(CLI::IsMember({"frames", "off"}))
      ->capture_default_str();
  app.add_flag("--lines", options.split_lines, "one frame per line of a function: \"function (file.cc:123)\"");
  app.add_flag("!--no-inline", options.show_inlined, "leave out functions that the compiler inlined");
  app.add_option("--debug-dir", options.debug_folders,
                 "folder to search for debug information by build id, before all other places; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("!--no-debug-info", options.debug_info,
               "read no debug information: only the function names that are in the traces");
  app.add_flag("--strict", options.strict, "exit with 2 if anything was lost, unmatched or damaged");
  app.add_flag("-q,--quiet", options.quiet, "no progress bar, no list of files");
  app.add_flag("!--no-table", options.table, "no table on stdout");
  app.add_option("-j,--threads", options.threads, "threads to use; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.footer(
      "Exit status: 0, also when parts of the input are damaged (they are reported); 1 when no input is readable or "
      "the\n"
      "output cannot be written; 2 with --strict and any loss; 125 after wrong use.");
  if (int status = 0; !migprof::tools::ParseCommandLine(&app, argc, argv, &status)) return status;
  options.formats = migprof::tools::SplitList(formats);
  options.views = migprof::tools::SplitList(views);
  return migprof::tools::Merge(options);
}
