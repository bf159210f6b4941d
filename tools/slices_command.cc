// SPDX-License-Identifier: Apache-2.0
#include "tools/slices_command.h"

#include <iostream>

#include "libmigprof/mig/topology_reader.h"
#include "libmigprof/render/topology_json.h"
#include "libmigprof/render/topology_text.h"
#include "tools/command_line.h"
#include "tools/terminal.h"

namespace migprof::tools {
namespace {

// Of what is piped: fits most places it is pasted into.
constexpr size_t kPipedWidth = 100;

}  // namespace

int Slices(const SlicesOptions& options) {
  if (options.schema) {
    render::WriteTopologySchema(std::cout);
    return FlushStdout("migprof slices") ? 0 : 1;
  }
  const mig::Host host = mig::ReadTopology();
  if (options.json) {
    render::WriteTopologyJson(host, std::cout);
  } else if (host.problem.empty()) {
    const render::TopologyTextOptions text = {
        .width = TerminalWidth(kPipedWidth), .ascii = !IsUtf8Locale(), .colour = WantsColour()};
    render::WriteTopologyText(host, text, std::cout);
  }
  if (!host.problem.empty()) std::cerr << "migprof slices: " << host.problem << "\n";
  return FlushStdout("migprof slices") && host.problem.empty() ? 0 : 1;
}

}  // namespace migprof::tools
