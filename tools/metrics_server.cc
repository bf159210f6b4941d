// SPDX-License-Identifier: Apache-2.0
#include "tools/metrics_server.h"

#include <dlfcn.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <utility>
#include <vector>

#include "tools/listen_socket.h"

namespace migprof::tools {
namespace {

constexpr size_t kMostConnections = 32;
// The library's own limit leaves room for those that are being closed: at its limit it would accept nobody.
constexpr unsigned kMostSockets = 2 * kMostConnections;
constexpr unsigned kIdleSeconds = 10;
constexpr size_t kMostBytesOfRequest = size_t{16} * 1024;

// Loaded when it is needed: the other commands must run where it is not installed, and not wait for what it brings.
struct Microhttpd {
  decltype(&MHD_start_daemon) start_daemon = nullptr;
  decltype(&MHD_stop_daemon) stop_daemon = nullptr;
  decltype(&MHD_create_response_from_buffer) create_response = nullptr;
  decltype(&MHD_add_response_header) add_header = nullptr;
  decltype(&MHD_queue_response) queue_response = nullptr;
  decltype(&MHD_destroy_response) destroy_response = nullptr;
  decltype(&MHD_lookup_connection_value) lookup = nullptr;
  decltype(&MHD_get_connection_info) info = nullptr;
};

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

bool Load(Microhttpd* api) {
  void* const library = dlopen(MIGPROF_MICROHTTPD, RTLD_NOW | RTLD_LOCAL);
  return library != nullptr && Resolve(library, "MHD_start_daemon", &api->start_daemon) &&
         Resolve(library, "MHD_stop_daemon", &api->stop_daemon) &&
         Resolve(library, "MHD_create_response_from_buffer", &api->create_response) &&
         Resolve(library, "MHD_add_response_header", &api->add_header) &&
         Resolve(library, "MHD_queue_response", &api->queue_response) &&
         Resolve(library, "MHD_destroy_response", &api->destroy_response) &&
         Resolve(library, "MHD_lookup_connection_value", &api->lookup) &&
         Resolve(library, "MHD_get_connection_info", &api->info);
}

class Server : public MetricsServer {
 public:
  Server(const Microhttpd& api, MetricsSource source) : api_(api), source_(std::move(source)) {}
  ~Server() override {
    if (daemon_ != nullptr) api_.stop_daemon(daemon_);  // closes the socket
  }

  bool Start(const ListenSocket& socket) {
    socket_ = socket;
    const unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | (socket.is_ipv6 ? MHD_USE_IPv6 : 0);
    daemon_ = api_.start_daemon(flags, 0, nullptr, nullptr, &Server::Answer, this, MHD_OPTION_LISTEN_SOCKET, socket.fd,
                                MHD_OPTION_CONNECTION_LIMIT, kMostSockets, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMostBytesOfRequest, MHD_OPTION_NOTIFY_CONNECTION,
                                &Server::Notice, this, MHD_OPTION_END);
    return daemon_ != nullptr;
  }

  std::string address() const override { return socket_.address; }
  bool is_loopback() const override { return socket_.is_loopback; }

 private:
  static MHD_Result Answer(void* self, MHD_Connection* connection, const char* url, const char* method,
                           const char* /*version*/, const char* /*body*/, size_t* body_bytes, void** state) {
    // The first call is about the headers alone; an answer to it would end the connection.
    static char seen;
    if (*state != &seen) {
      *state = &seen;
      return MHD_YES;
    }
    // A body is of no use to anybody here; the connection ends.
    if (*body_bytes != 0) return MHD_NO;
    auto* const server = static_cast<Server*>(self);
    server->Renew(connection);
    const std::string_view asked = method;
    if (asked != "GET" && asked != "HEAD") return server->Reply(connection, 405, "only GET\n", "text/plain");
    if (std::string_view(url) == "/metrics") {
      const char* accept = server->api_.lookup(connection, MHD_HEADER_KIND, "Accept");
      const render::MetricFormat format = render::FormatFor(accept == nullptr ? "" : accept);
      return server->Reply(connection, 200, server->source_(format), std::string(render::ContentType(format)));
    }
    if (std::string_view(url) == "/") {
      return server->Reply(connection, 200, "migprof top: the metrics are at /metrics\n", "text/plain");
    }
    return server->Reply(connection, 404, "there is only /metrics\n", "text/plain");
  }

  // Comes and goes of a connection. The library has one thread, so that nothing here needs a lock.
  static void Notice(void* self, MHD_Connection* connection, void** /*state*/, MHD_ConnectionNotificationCode what) {
    auto* const server = static_cast<Server*>(self);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      server->Admit(connection);
    } else {
      std::erase(server->waiting_, connection);
    }
  }

  // The timeout is about silence: who says a byte now and then could stay for ever. So whoever has gone longest without
  // a whole question makes room for those who come; a question that is asked at once is answered at once.
  void Admit(MHD_Connection* connection) {
    waiting_.push_back(connection);
    if (waiting_.size() <= kMostConnections) return;
    const MHD_ConnectionInfo* const info = api_.info(waiting_.front(), MHD_CONNECTION_INFO_CONNECTION_FD);
    waiting_.erase(waiting_.begin());
    if (info != nullptr) shutdown(info->connect_fd, SHUT_RDWR);  // the library then closes it
  }

  void Renew(MHD_Connection* connection) {
    if (std::erase(waiting_, connection) != 0) waiting_.push_back(connection);
  }

  MHD_Result Reply(MHD_Connection* connection, unsigned status, std::string text, const std::string& type) const {
    MHD_Response* const response = api_.create_response(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    api_.add_header(response, "Content-Type", type.c_str());
    api_.add_header(response, "Cache-Control", "no-store");
    if (status == 405) api_.add_header(response, "Allow", "GET, HEAD");
    const MHD_Result result = api_.queue_response(connection, status, response);
    api_.destroy_response(response);
    return result;
  }

  const Microhttpd api_;
  const MetricsSource source_;
  ListenSocket socket_;
  std::vector<MHD_Connection*> waiting_;  // open connections, by when they were opened or last asked
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace

std::unique_ptr<MetricsServer> StartMetricsServer(const std::string& address, MetricsSource source,
                                                  std::string* problem) {
  Microhttpd api;
  if (!Load(&api)) {
    *problem = std::string(MIGPROF_MICROHTTPD) + " was not found (Debian and Ubuntu: apt install libmicrohttpd12)";
    return nullptr;
  }
  const ListenSocket socket = Listen(address, problem);
  if (socket.fd < 0) return nullptr;
  auto server = std::make_unique<Server>(api, std::move(source));
  if (server->Start(socket)) return server;
  close(socket.fd);
  *problem = "the HTTP server could not be started at " + address;
  return nullptr;
}

}  // namespace migprof::tools
