// SPDX-License-Identifier: Apache-2.0
// Where libmicrohttpd was not found when this was built.
#include "tools/metrics_server.h"

namespace migprof::tools {

std::unique_ptr<MetricsServer> StartMetricsServer(const std::string& /*address*/, MetricsSource /*source*/,
                                                  std::string* problem) {
  *problem = "this migprof was built without libmicrohttpd, and so cannot serve metrics";
  return nullptr;
}

}  // namespace migprof::tools
