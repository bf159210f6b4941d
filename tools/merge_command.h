// SPDX-License-Identifier: Apache-2.0
// What migprof-merge does, and `migprof run` after the program has ended.
#pragma once

#include <string>
#include <vector>

namespace migprof::tools {

struct MergeOptions {
  std::vector<std::string> inputs;
  std::string output = "migprof-report";
  std::vector<std::string> formats = {"svg", "html"};
  std::vector<std::string> views = {"gpu"};  // of flamegraphs and folded stacks: render::ViewName
  bool show_internals = false;
  bool show_interpreter = false;
  std::string nvtx = "frames";  // or "off"
  bool debug_info = true;       // show inlined functions and lines, where debug information is found
  bool show_inlined = true;
  bool split_lines = false;                // frames read "function (file.cc:123)"
  std::vector<std::string> debug_folders;  // to be searched for debug information first
  bool anonymize = false;                  // no names but those of CUDA: analyze::Anonymize
  bool strict = false;
  bool table = true;
  bool quiet = false;  // no progress, no list of files
  int threads = 0;
};

// The version, and what this build lacks; for --version.
std::string VersionText(const std::string& version);

// What MergeOptions::formats and ::views may hold.
std::vector<std::string> KnownFormats();
std::vector<std::string> KnownViews();

// Exit status: 0, also when parts of the input were damaged; 1 when no input was readable or no output writable, or
// `anonymize` found the output folder in use; 2 with
// `strict` and any loss.
int Merge(const MergeOptions& options);

}  // namespace migprof::tools
