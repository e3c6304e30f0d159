#pragma once

// Doors and connections: accepts within the limits of threats T26, serves each connection by a task of its own, and
// ends them in order. Owned by main; loop thread.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "backend/base/error.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "daemon/certificates.h"
#include "daemon/client_connection.h"
#include "daemon/config.h"
#include "daemon/guard.h"
#include "daemon/http_session.h"
#include "daemon/listeners.h"
#include "daemon/router.h"

namespace leger {

class Server {
 public:
  // The limits of connections hold for TCP (0: none but what descriptors allow); the Unix socket has a share of its own
  // that TCP cannot take. All references outlive the server.
  Server(Loop& loop, const Log& log, const Guard& guard, const Router& router, RouteContext& context,
         const Limits& limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts on a socket that is bound, or listens already. Takes the descriptor. With `tls` every connection is
  // encrypted, and closed at once while there is no certificate; null: a plain door.
  Result<void> open_door(const ListeningSocket& socket, const Certificates* tls);

  std::size_t connections() const { return connections_.size(); }

  // Accepts no more, ends idle connections, lets requests in flight finish for at most `grace_ms`, then ends the rest.
  Task<void> shut_down(std::uint64_t grace_ms);

 private:
  struct Door;
  using Connections = std::list<std::unique_ptr<ClientConnection>>;

  static void on_connection(uv_stream_t* listener, int status);
  void accept(Door& door);
  void resume_accepting();
  Task<void> serve(ClientConnection& connection);
  void forget(const ClientConnection& connection);
  void door_closed();
  bool has_room(bool is_unix) const;

  Loop& loop_;
  const Log& log_;
  bool stopping_ = false;
  RequestIds ids_;
  HttpServices services_;
  const std::uint32_t most_tcp_;
  const std::uint32_t most_per_peer_;  // 0: no limit
  std::map<std::string, std::uint32_t, std::less<>> tcp_by_peer_;
  std::uint32_t tcp_count_ = 0;
  std::uint32_t unix_count_ = 0;
  std::size_t open_doors_ = 0;
  std::string read_buffer_;
  std::list<std::unique_ptr<Door>> doors_;
  Connections connections_;
  OneShot<bool> all_closed_;
  OneShot<bool> doors_closed_;
};

}  // namespace leger
