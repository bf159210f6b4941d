// SPDX-License-Identifier: Apache-2.0
// Serves metrics over HTTP: GET /metrics, for Prometheus and its like.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libmigprof/render/openmetrics.h"

namespace migprof::tools {

// Handed what format the client takes; called on the server's thread.
using MetricsSource = std::function<std::string(render::MetricFormat)>;

// Few clients at a time, small requests, and no patience with slow ones: see the limits in the .cc. The server has one
// thread, which no client blocks.
class MetricsServer {
 public:
  virtual ~MetricsServer() = default;
  // "127.0.0.1:9464", with the port that was chosen where 0 was asked for.
  virtual std::string address() const = 0;
  virtual bool is_loopback() const = 0;
};

// `address` is "host:port", "[IPv6]:port", or a port alone, which is 127.0.0.1's. On failure null, with a sentence in
// `problem`: also where this build, or this machine, lacks libmicrohttpd.
std::unique_ptr<MetricsServer> StartMetricsServer(const std::string& address, MetricsSource source,
                                                  std::string* problem);

}  // namespace migprof::tools
