// SPDX-License-Identifier: Apache-2.0
#include "tools/listen_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace migprof::tools {
namespace {

constexpr int kBacklog = 16;

bool IsPort(const std::string& text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos &&
         std::stoul(text) <= 65535;
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

std::string TextOf(const sockaddr_storage& address, socklen_t length) {
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof(host), port, sizeof(port),
              NI_NUMERICHOST | NI_NUMERICSERV);
  const std::string name = address.ss_family == AF_INET6 ? std::string("[") + host + "]" : host;
  return name + ":" + port;
}

// What is at `fd`, if it can be bound to `info` and listened at.
bool Bind(int fd, const addrinfo& info) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // An IPv6 address means that one, not the IPv4 addresses as well.
  if (info.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  return bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, kBacklog) == 0;
}

}  // namespace

bool SplitAddress(const std::string& address, std::string* host, std::string* port) {
  const size_t colon = address.rfind(':');
  *host = colon == std::string::npos ? "127.0.0.1" : address.substr(0, colon);
  *port = colon == std::string::npos ? address : address.substr(colon + 1);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') {
    *host = host->substr(1, host->size() - 2);
  } else if (host->find(':') != std::string::npos) {
    return false;  // IPv6 without brackets: its last part would be taken for the port
  }
  return !host->empty() && IsPort(*port);
}

ListenSocket Listen(const std::string& address, std::string* problem) {
  ListenSocket result;
  std::string host;
  std::string port;
  if (!SplitAddress(address, &host, &port)) {
    *problem = "'" + address + "' is no address: 127.0.0.1:9464, [::1]:9464, or a port";
    return result;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0) {
    *problem = host + ": " + gai_strerror(code);
    return result;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || !Bind(fd, *found)) {
    *problem = "cannot listen at " + address + ": " + std::strerror(errno);
    if (fd >= 0) close(fd);
  } else {
    sockaddr_storage bound{};
    socklen_t length = sizeof(bound);
    getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
    result = {fd, TextOf(bound, length), bound.ss_family == AF_INET6, IsLoopback(bound)};
  }
  freeaddrinfo(found);
  return result;
}

}  // namespace migprof::tools
