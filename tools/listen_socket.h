// SPDX-License-Identifier: Apache-2.0
// A TCP socket that waits for clients.
#pragma once

#include <string>

namespace migprof::tools {

struct ListenSocket {
  int fd = -1;
  std::string address;  // numeric, "host:port" or "[IPv6]:port"
  bool is_ipv6 = false;
  bool is_loopback = false;
};

// Splits "host:port", "[IPv6]:port", or a port alone (then the host is 127.0.0.1). False when it is none of these.
bool SplitAddress(const std::string& address, std::string* host, std::string* port);

// On failure `fd` is -1 and `problem` a sentence.
ListenSocket Listen(const std::string& address, std::string* problem);

}  // namespace migprof::tools
