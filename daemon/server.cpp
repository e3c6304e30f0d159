#include "daemon/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

namespace leger {
namespace {

constexpr std::uint32_t kMostUnix = 64;              // a share that TCP cannot take
constexpr std::uint32_t kReservedDescriptors = 128;  // for the store, files, Podman, D-Bus and the Unix socket
constexpr std::uint32_t kLeastTcp = 16;
constexpr int kBacklog = 511;

std::uint32_t tcp_limit(std::uint32_t configured) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  const auto open = static_cast<std::uint32_t>(std::min<rlim_t>(descriptors.rlim_cur, UINT32_MAX));
  const std::uint32_t room = open > kReservedDescriptors ? open - kReservedDescriptors : 0;
  return std::max(kLeastTcp, configured == 0 ? room : std::min(configured, room));
}

}  // namespace

// One listening socket; `waiting` while a connection was announced that there is no room for.
struct Server::Door {
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle{};
  Server* server = nullptr;
  const Certificates* tls = nullptr;  // null: plain
  bool is_unix = false;
  bool waiting = false;
};

Server::Server(Loop& loop, const Log& log, const Guard& guard, const Router& router, RouteContext& context,
               const Limits& limits)
    : loop_(loop),
      log_(log),
      services_{loop, log, guard, router, context, stopping_, ids_},
      most_tcp_(tcp_limit(limits.connections)),
      most_per_peer_(limits.connections_per_peer),
      all_closed_(loop),
      doors_closed_(loop) {}

Server::~Server() = default;

Result<void> Server::open_door(const ListeningSocket& socket, const Certificates* tls) {
  auto& door = *doors_.emplace_back(std::make_unique<Door>());
  ++open_doors_;
  door.server = this;
  door.is_unix = socket.is_unix;
  door.tls = tls;
  int problem = 0;
  if (socket.is_unix) {
    uv_pipe_init(loop_.uv(), &door.handle.pipe, 0);
    problem = uv_pipe_open(&door.handle.pipe, socket.fd);
  } else {
    uv_tcp_init(loop_.uv(), &door.handle.tcp);
    problem = uv_tcp_open(&door.handle.tcp, socket.fd);
  }
  door.handle.stream.data = &door;
  if (problem == 0) problem = uv_listen(&door.handle.stream, kBacklog, on_connection);
  if (problem == 0) return {};
  return Fail({Code::internal_error, "Cannot listen on " + socket.address + ": " + uv_strerror(problem) + ".", {}, {}});
}

void Server::on_connection(uv_stream_t* listener, int status) {
  auto& door = *static_cast<Door*>(listener->data);
  if (status != 0) return;  // an aborted connection, or no descriptor left: libuv drops that one itself
  if (door.server->has_room(door.is_unix)) {
    door.server->accept(door);
  } else {
    door.waiting = true;  // libuv accepts no more until this one is taken
  }
}

bool Server::has_room(bool is_unix) const { return is_unix ? unix_count_ < kMostUnix : tcp_count_ < most_tcp_; }

void Server::accept(Door& door) {
  auto& connection = *connections_.emplace_back(
      std::make_unique<ClientConnection>(loop_, read_buffer_, [this](ClientConnection& closed) { forget(closed); }));
  ++(door.is_unix ? unix_count_ : tcp_count_);
  const bool accepted = uv_accept(&door.handle.stream, connection.make_stream(door.is_unix)) == 0;
  auto certificate = door.tls == nullptr ? nullptr : door.tls->current();
  if (!accepted || (door.tls != nullptr && !certificate)) {
    connection.close();
    return;
  }
  connection.open(std::move(certificate));
  // One peer that takes every place would leave none to the others. It learns so by the end of its connection.
  const bool counted = !door.is_unix && most_per_peer_ != 0;
  if (counted && ++tcp_by_peer_[connection.peer().ip] > most_per_peer_) {
    connection.close();
    return;
  }
  loop_.spawn(serve(connection), [this](std::exception_ptr) { log_.error("a connection's task failed"); });
}

Task<void> Server::serve(ClientConnection& connection) {
  HttpSession session(services_, connection);
  try {
    co_await session.serve();
  } catch (const std::exception& bug) {
    log_.error("a connection failed with an exception", {{"WHAT", bug.what()}});
  }
  connection.close();
}

void Server::forget(const ClientConnection& connection) {
  --(connection.is_unix() ? unix_count_ : tcp_count_);
  if (const auto peer = tcp_by_peer_.find(connection.peer().ip); peer != tcp_by_peer_.end() && --peer->second == 0) {
    tcp_by_peer_.erase(peer);
  }
  std::erase_if(connections_, [&connection](const auto& held) { return held.get() == &connection; });
  if (stopping_ && connections_.empty()) all_closed_.set(true);
  resume_accepting();
}

void Server::resume_accepting() {
  for (const auto& door : doors_) {
    if (!door->waiting || stopping_ || !has_room(door->is_unix)) continue;
    door->waiting = false;
    accept(*door);
  }
}

void Server::door_closed() {
  if (--open_doors_ == 0) doors_closed_.set(true);
}

Task<void> Server::shut_down(std::uint64_t grace_ms) {
  stopping_ = true;
  for (const auto& door : doors_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&door->handle.stream),
             [](uv_handle_t* handle) { static_cast<Door*>(handle->data)->server->door_closed(); });
  }
  if (doors_.empty()) doors_closed_.set(true);
  for (const auto& connection : connections_) {
    if (connection->is_idle()) connection->interrupt();
  }
  if (connections_.empty()) all_closed_.set(true);
  Timer grace(loop_.timers(), [this] {
    for (const auto& connection : connections_) connection->break_off();
  });
  grace.set_in(grace_ms);
  co_await doors_closed_;
  co_await all_closed_;
}

}  // namespace leger
