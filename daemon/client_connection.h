#pragma once

// One accepted stream: bytes in with back-pressure, bytes out without queues, one deadline; on a TLS door what goes in
// and out is plain here and encrypted on the wire. It knows no HTTP. Owned by the Server from accept to the close
// callback; loop thread.

#include <uv.h>

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/base/timers.h"
#include "daemon/peer.h"
#include "daemon/tls_context.h"

namespace leger {

inline constexpr std::uint64_t kHandshakeMs = 5'000;  // of TLS, from accept

class ClientConnection {
 public:
  static constexpr std::uint64_t kWriteStallMs = 30'000;  // a client that takes nothing is given up

  // How a wait for the other side ended.
  enum class Wait { ready, ended, timed_out, woken };

  // `read_buffer` is where reads land before they are kept: one for all connections of a loop. `on_closed` is the last
  // call: it destroys the connection.
  ClientConnection(Loop& loop, std::string& read_buffer, std::function<void(ClientConnection&)> on_closed);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;
  ~ClientConnection();

  // The libuv stream to be given to uv_accept; from here on close() must be called.
  uv_stream_t* make_stream(bool is_unix);
  // After uv_accept: finds out who is there, and starts reading. With `tls` the client must have made its handshake
  // within kHandshakeMs; null: a plain connection.
  void open(std::shared_ptr<const TlsContext> tls);
  const Peer& peer() const { return peer_; }
  bool is_unix() const { return peer_.is_unix; }

  // What has arrived and was not consumed. At most 64 KiB and one read (64 KiB, of TLS one record); then reading pauses
  // until it is consumed.
  std::string_view input() const { return std::string_view(input_).substr(consumed_); }
  void consume(std::size_t bytes);

  // Waits until more input than `known` bytes is there. `at_ms` of the monotonic clock is the deadline.
  struct InputAwaiter {
    ClientConnection& connection;
    std::size_t known;
    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> waiter);
    Wait await_resume();
  };
  InputAwaiter more_input(std::size_t known, std::uint64_t at_ms);
  // Makes the wait for input that is under way, or the next one, end as `woken`, in a later turn: there is something to
  // be written.
  void wake();
  // A wake-up that no wait has seen is for nobody any more.
  void forget_wake() { woken_ = false; }

  // Writes `bytes` from offset `from` in pieces, each within 30 s; false when the other side is gone or stuck. `bytes`
  // stays as it is until the task ends.
  Task<bool> write(const std::string& bytes, std::size_t from);
  // The part of `bytes` that the socket takes at once; the fast path before write(), which is to be given the rest of
  // them next: over TLS some of it may be encrypted already. -1: the other side is gone.
  std::ptrdiff_t write_now(std::string_view bytes);

  // Of the socket, for whoever writes to a plain connection past it; nothing else is written then.
  int descriptor() const;

  // Ends our side (close_notify over TLS); what still arrives can be read. The other side gets to see all that was
  // written before.
  void shut_down_writing();
  // Ends both sides. No wait may be under way.
  void close();

  bool is_idle() const { return idle_; }
  void set_idle(bool idle) { idle_ = idle; }
  // Makes the wait for input that is under way, or the next one, end as `ended`: the server is shutting down.
  void interrupt();
  // Cuts the stream: writes under way fail, input ends.
  void break_off();

 private:
  static constexpr std::size_t kInputLimit = 64 * 1024;
  static constexpr std::size_t kPiece = 64 * 1024;
  static constexpr std::size_t kMostQueued = 64 * 1024;  // handshakes and alerts of a client that does not read

  struct Tls;

  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer);
  void resume_waiter();
  void shut_down(int direction);
  void decrypt(std::string_view ciphertext);
  void flush_tls();
  std::ptrdiff_t try_write(std::string_view bytes);
  std::ptrdiff_t write_tls_now(std::string_view bytes);
  void pause_or_read();

  union Stream {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  Loop& loop_;
  std::string& read_buffer_;
  std::function<void(ClientConnection&)> on_closed_;
  Stream stream_{};
  Timer deadline_;
  Peer peer_;
  std::unique_ptr<Tls> tls_;  // null: plain
  std::string input_;
  std::size_t consumed_ = 0;
  std::coroutine_handle<> waiter_;
  bool reading_ = false;
  bool ended_ = false;
  bool timed_out_ = false;
  bool woken_ = false;
  bool idle_ = false;
};

}  // namespace leger
