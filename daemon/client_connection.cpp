#include "daemon/client_connection.h"

#include <string.h>
#include <sys/socket.h>

#include <utility>

#include "backend/base/secret.h"
#include "daemon/tls_stream.h"

namespace leger {
namespace {

// A write that the socket did not take at once; lives on the heap until its callback.
struct PendingWrite {
  uv_write_t request{};
  OneShot<bool> done;
  std::string ciphertext;  // of TLS; plain bytes are the caller's
};

// Ciphertext that nobody waits for.
struct QueuedWrite {
  uv_write_t request{};
  std::string ciphertext;
};

uv_buf_t buffer_of(std::string_view bytes) {
  return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));  // libuv only reads it
}

}  // namespace

struct ClientConnection::Tls {
  Tls(std::shared_ptr<const TlsContext> context, Timers& timers, std::function<void()> on_late)
      : stream(std::move(context)), handshake(timers, std::move(on_late)) {
    handshake.set_in(kHandshakeMs);
  }

  TlsStream stream;
  Timer handshake;
  std::size_t sealed = 0;  // so many bytes of what is written next are encrypted, but not all on their way
};

ClientConnection::ClientConnection(Loop& loop, std::string& read_buffer,
                                   std::function<void(ClientConnection&)> on_closed)
    : loop_(loop), read_buffer_(read_buffer), on_closed_(std::move(on_closed)), deadline_(loop.timers(), [this] {
        timed_out_ = true;
        resume_waiter();
      }) {}

ClientConnection::~ClientConnection() = default;

uv_stream_t* ClientConnection::make_stream(bool is_unix) {
  if (is_unix) {
    uv_pipe_init(loop_.uv(), &stream_.pipe, 0);
  } else {
    uv_tcp_init(loop_.uv(), &stream_.tcp);
  }
  stream_.stream.data = this;
  peer_.is_unix = is_unix;
  return &stream_.stream;
}

int ClientConnection::descriptor() const {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&stream_.stream), &fd);
  return fd;
}

void ClientConnection::open(std::shared_ptr<const TlsContext> tls) {
  const int fd = descriptor();
  peer_ = peer_.is_unix ? unix_peer(fd) : tcp_peer(fd);
  if (!peer_.is_unix) {
    uv_tcp_nodelay(&stream_.tcp, 1);
  }
  peer_.is_tls = tls != nullptr;
  if (tls) tls_ = std::make_unique<Tls>(std::move(tls), loop_.timers(), [this] { interrupt(); });
  pause_or_read();
}

void ClientConnection::pause_or_read() {
  const bool wanted = !ended_ && input().size() < kInputLimit;
  if (wanted == reading_) return;
  reading_ = wanted;
  if (wanted) {
    uv_read_start(&stream_.stream, on_alloc, on_read);
  } else {
    uv_read_stop(&stream_.stream);
  }
}

void ClientConnection::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  const auto& self = *static_cast<ClientConnection*>(handle->data);
  self.read_buffer_.resize(kInputLimit);
  const std::size_t most = self.tls_ ? TlsStream::kMostRecord : kInputLimit;
  *buffer = uv_buf_init(self.read_buffer_.data(), static_cast<unsigned>(most));
}

void ClientConnection::on_read(uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer) {
  auto& self = *static_cast<ClientConnection*>(stream->data);
  const std::size_t known = self.input().size();
  if (length > 0) {
    // Or a client whose pieces always end within a request would make the buffer grow for ever.
    self.input_.erase(0, std::exchange(self.consumed_, 0));
    const std::string_view bytes(buffer->base, static_cast<std::size_t>(length));
    if (self.tls_) {
      self.decrypt(bytes);
    } else {
      self.input_.append(bytes);
      explicit_bzero(buffer->base, bytes.size());  // it may hold a secret, and serves others next
    }
  } else if (length < 0) {
    self.ended_ = true;
  }
  self.pause_or_read();
  // Half a record, or a step of a handshake, is nothing to wake up for.
  if (self.ended_ || self.input().size() > known) self.resume_waiter();
}

void ClientConnection::decrypt(std::string_view ciphertext) {
  tls_->stream.receive(ciphertext, input_);
  flush_tls();
  const TlsStream::State state = tls_->stream.state();
  if (state != TlsStream::State::handshake) tls_->handshake.clear();
  if (state == TlsStream::State::ended || state == TlsStream::State::failed) ended_ = true;
}

// What the protocol itself has to say goes out in its order, whoever waits for what.
void ClientConnection::flush_tls() {
  std::string& outgoing = tls_->stream.outgoing();
  if (outgoing.empty()) return;
  const std::ptrdiff_t taken = try_write(outgoing);
  outgoing.erase(0, taken < 0 ? outgoing.size() : static_cast<std::size_t>(taken));
  if (outgoing.empty()) return;
  auto* queued = new QueuedWrite{{}, std::exchange(outgoing, {})};
  queued->request.data = queued;
  const uv_buf_t buffer = buffer_of(queued->ciphertext);
  const int refused = uv_write(&queued->request, &stream_.stream, &buffer, 1, [](uv_write_t* request, int) {
    const std::unique_ptr<QueuedWrite> finished(static_cast<QueuedWrite*>(request->data));
  });
  if (refused != 0) delete queued;  // the other side is gone, which reading tells: no callback comes
  if (uv_stream_get_write_queue_size(&stream_.stream) > kMostQueued) break_off();
}

void ClientConnection::consume(std::size_t bytes) {
  consumed_ += bytes;
  if (consumed_ == input_.size()) {
    wipe(input_);  // it may have held a secret
    consumed_ = 0;
    if (input_.capacity() > kInputLimit / 2) input_.shrink_to_fit();
  }
  pause_or_read();
}

void ClientConnection::resume_waiter() {
  if (waiter_) std::exchange(waiter_, nullptr).resume();
}

bool ClientConnection::InputAwaiter::await_ready() const {
  return connection.input().size() > known || connection.ended_ || connection.timed_out_ || connection.woken_;
}

void ClientConnection::InputAwaiter::await_suspend(std::coroutine_handle<> waiter) { connection.waiter_ = waiter; }

ClientConnection::Wait ClientConnection::InputAwaiter::await_resume() {
  connection.deadline_.clear();
  // More than one may have come before a waiter that was woken gets its turn.
  const bool timed_out = std::exchange(connection.timed_out_, false);
  const bool woken = std::exchange(connection.woken_, false);
  if (connection.input().size() > known) return Wait::ready;
  if (connection.ended_) return Wait::ended;
  return woken || !timed_out ? Wait::woken : Wait::timed_out;
}

void ClientConnection::wake() {
  woken_ = true;
  if (waiter_) loop_.resume_soon(std::exchange(waiter_, nullptr));
}

ClientConnection::InputAwaiter ClientConnection::more_input(std::size_t known, std::uint64_t at_ms) {
  deadline_.set_at(at_ms);
  return {*this, known};
}

std::ptrdiff_t ClientConnection::write_now(std::string_view bytes) {
  return tls_ ? write_tls_now(bytes) : try_write(bytes);
}

std::ptrdiff_t ClientConnection::write_tls_now(std::string_view bytes) {
  std::string& outgoing = tls_->stream.outgoing();
  std::size_t gone = 0;
  while (gone < bytes.size()) {
    if (tls_->sealed == 0) tls_->sealed = tls_->stream.seal(bytes.substr(gone));
    if (tls_->sealed == 0) return -1;
    const std::ptrdiff_t taken = try_write(outgoing);
    if (taken < 0) return -1;
    outgoing.erase(0, static_cast<std::size_t>(taken));
    if (!outgoing.empty()) break;
    gone += std::exchange(tls_->sealed, 0);
  }
  return static_cast<std::ptrdiff_t>(gone);
}

std::ptrdiff_t ClientConnection::try_write(std::string_view bytes) {
  const uv_buf_t buffer = buffer_of(bytes);
  const int taken = uv_try_write(&stream_.stream, &buffer, 1);
  if (taken == UV_EAGAIN) return 0;
  return taken < 0 ? -1 : taken;
}

Task<bool> ClientConnection::write(const std::string& bytes, std::size_t from) {
  while (from < bytes.size()) {
    const std::string_view piece = std::string_view(bytes).substr(from, kPiece);
    const std::ptrdiff_t taken = write_now(piece);
    if (taken < 0) co_return false;
    from += static_cast<std::size_t>(taken);
    if (taken > 0) continue;
    auto* pending = new PendingWrite{{}, OneShot<bool>(loop_), {}};
    if (tls_) pending->ciphertext.swap(tls_->stream.outgoing());
    pending->request.data = pending;
    const OneShot<bool> done = pending->done;
    const uv_buf_t buffer = buffer_of(tls_ ? pending->ciphertext : piece);
    const int refused = uv_write(&pending->request, &stream_.stream, &buffer, 1, [](uv_write_t* request, int status) {
      const std::unique_ptr<PendingWrite> finished(static_cast<PendingWrite*>(request->data));
      finished->done.set(status == 0);
    });
    if (refused != 0) {
      delete pending;  // after a reset, while earlier writes wait: no callback comes
      co_return false;
    }
    Timer stall(loop_.timers(), [this] { shut_down(SHUT_RDWR); });  // libuv then fails the write
    stall.set_in(kWriteStallMs);
    const bool written = co_await done;
    if (!written) co_return false;
    from += tls_ ? std::exchange(tls_->sealed, 0) : piece.size();
  }
  co_return true;
}

void ClientConnection::shut_down(int direction) { ::shutdown(descriptor(), direction); }

void ClientConnection::shut_down_writing() {
  if (tls_) {
    tls_->stream.say_end();
    flush_tls();
  }
  // What is queued would be lost; its reader has been told the end with it.
  if (uv_stream_get_write_queue_size(&stream_.stream) == 0) shut_down(SHUT_WR);
}

void ClientConnection::interrupt() {
  ended_ = true;
  pause_or_read();
  resume_waiter();
}

void ClientConnection::break_off() {
  shut_down(SHUT_RDWR);
  interrupt();
}

void ClientConnection::close() {
  deadline_.clear();
  if (tls_) {
    tls_->handshake.clear();
    tls_->stream.say_end();
    flush_tls();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&stream_.stream), [](uv_handle_t* handle) {
    auto& self = *static_cast<ClientConnection*>(handle->data);
    const auto on_closed = std::move(self.on_closed_);  // outlives the connection, which the call destroys
    on_closed(self);
  });
}

}  // namespace leger
