// SPDX-License-Identifier: Apache-2.0
// migprof-merge: trace files in, pictures and numbers out.
#include "tools/command_line.h"
#include "tools/merge_options.h"

int main(int argc, char** argv) {
  migprof::tools::MergeOptions options;
  CLI::App app{
      "Merges migprof traces of any number of processes, slices and hosts into flamegraphs and numbers per slice."};
  app.name("migprof-merge");
  app.set_version_flag("--version", migprof::tools::VersionText(MIGPROF_VERSION));
  app.add_option("INPUT", options.inputs, "trace files, or folders that hold *.migtrace files")->required();
  migprof::tools::AddMergeOptions(&app, &options);
  app.footer(
      "Exit status: 0, also when parts of the input are damaged (they are reported); 1 when no input is readable or\n"
      "the output cannot be written; 2 with --strict and any loss; 125 after wrong use.");
  if (int status = 0; !migprof::tools::ParseCommandLine(&app, argc, argv, &status)) return status;
  return migprof::tools::Merge(options);
}
