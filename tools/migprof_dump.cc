// SPDX-License-Identifier: Apache-2.0
// migprof-dump: a trace file as text.
#include <iostream>

#include "libmigprof/analyze/trace_dump.h"
#include "libmigprof/render/clean_text.h"
#include "tools/command_line.h"

int main(int argc, char** argv) {
  std::vector<std::string> files;
  migprof::analyze::DumpOptions options;
  CLI::App app{"Prints migprof trace files as text: one line per record, in file order."};
  app.name("migprof-dump");
  app.set_version_flag("--version", MIGPROF_VERSION);
  app.add_option("FILE", files, "trace files")->required();
  app.add_flag("--chunks", options.chunks_only, "one line per chunk instead of one per record");
  app.add_flag("--all", options.all, "print all of files that are far more text than their size lets expect, too");
  app.footer(
      "Exit status: 0, also for damaged files (their damage is printed); 1 when a file could not be read at all;\n125 "
      "after wrong use.");
  if (int status = 0; !migprof::tools::ParseCommandLine(&app, argc, argv, &status)) return status;
  migprof::tools::EndWhenMemoryRunsOut();
  std::ios::sync_with_stdio(false);
  int status = 0;
  for (const std::string& file : files) {
    if (const absl::Status result = migprof::analyze::DumpTrace(file, options, std::cout); !result.ok()) {
      std::cout.flush();
      std::cerr << "migprof-dump: " << migprof::render::CleanText(file) << ": "
                << migprof::render::CleanText(std::string(result.message())) << "\n";
      status = 1;
    }
  }
  return migprof::tools::FlushStdout("migprof-dump") ? status : 1;
}
