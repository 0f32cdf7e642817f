// SPDX-License-Identifier: Apache-2.0
// The operators' port: health, metrics and /api, on a thread of its own so that a scrape never disturbs a call.
//
// Everything but /healthz and /readyz needs the admin key (Authorization: Bearer). The Host must be an address or
// name this port is known by, and an Origin, when a browser sends one, must be this port itself: a page on another
// site can neither read nor drive the gateway through its operator's browser (DNS rebinding included).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "world/descriptors.h"

namespace portolan::control {

struct AdminRequest {
  std::string method;
  std::string path;   // decoded, without the query
  std::string query;  // raw
  std::string body;
  std::string peer_address;
};

struct AdminReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

AdminReply admin_error(int status, std::string_view message);

struct AdminOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string key;                      // 64 hexadecimal digits
  std::vector<std::string> host_names;  // beside the address itself and "localhost"
};

class AdminServer {
 public:
  using Handler = std::function<AdminReply(const AdminRequest&)>;

  AdminServer();
  ~AdminServer();

  /// Before start(). A route matches when the path equals `path`, or begins with it when it ends in "/". `open`: no
  /// key. Handlers run on the server's thread, one at a time.
  void route(std::string method, std::string path, Handler handler, bool open = false);

  /// Binds, or takes a socket that listens there already when `inherited` is one, and serves. Code::config_invalid
  /// when the port cannot be had.
  base::Result<void> start(AdminOptions options, world::Descriptor inherited = world::Descriptor{});
  std::uint16_t port() const { return port_; }
  /// What listens. Before give_up().
  int socket() const;
  /// Another process accepts from now on: connections that are there are served on, and each ends with its next
  /// answer.
  void give_up();
  void stop();

 private:
  struct Server;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

/// The key in `data_dir`/admin.key, made anew (mode 0600) when there is none. Code::disk; refuses a file that
/// others may read.
base::Result<std::string> admin_key(const std::string& data_dir);

}  // namespace portolan::control
