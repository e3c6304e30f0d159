#include "daemon/client_connection.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

namespace leger {
namespace {

// A write that the socket did not take at once; lives on the heap until its callback.
struct PendingWrite {
  uv_write_t request{};
  OneShot<bool> done;
};

uv_buf_t buffer_of(std::string_view bytes) {
  return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));  // libuv only reads it
}

}  // namespace

ClientConnection::ClientConnection(Loop& loop, std::string& read_buffer,
                                   std::function<void(ClientConnection&)> on_closed)
    : loop_(loop), read_buffer_(read_buffer), on_closed_(std::move(on_closed)), deadline_(loop.timers(), [this] {
        timed_out_ = true;
        resume_waiter();
      }) {}

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

void ClientConnection::open() {
  if (peer_.is_unix) {
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(&stream_.stream), &fd);
    peer_ = unix_peer(fd);
  } else {
    uv_tcp_nodelay(&stream_.tcp, 1);
  }
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
  std::string& shared = static_cast<ClientConnection*>(handle->data)->read_buffer_;
  shared.resize(kInputLimit);
  *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
}

void ClientConnection::on_read(uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer) {
  auto& self = *static_cast<ClientConnection*>(stream->data);
  if (length > 0) {
    // Or a client whose pieces always end within a request would make the buffer grow for ever.
    self.input_.erase(0, std::exchange(self.consumed_, 0));
    self.input_.append(buffer->base, static_cast<std::size_t>(length));
  } else if (length < 0) {
    self.ended_ = true;
  }
  self.pause_or_read();
  if (length != 0) self.resume_waiter();
}

void ClientConnection::consume(std::size_t bytes) {
  consumed_ += bytes;
  if (consumed_ == input_.size()) {
    input_.clear();
    consumed_ = 0;
    if (input_.capacity() > kInputLimit / 2) input_.shrink_to_fit();
  }
  pause_or_read();
}

void ClientConnection::resume_waiter() {
  if (waiter_) std::exchange(waiter_, nullptr).resume();
}

bool ClientConnection::InputAwaiter::await_ready() const {
  return connection.input().size() > known || connection.ended_ || connection.timed_out_;
}

void ClientConnection::InputAwaiter::await_suspend(std::coroutine_handle<> waiter) { connection.waiter_ = waiter; }

ClientConnection::Wait ClientConnection::InputAwaiter::await_resume() {
  connection.deadline_.clear();
  if (connection.input().size() > known) return Wait::ready;
  if (connection.timed_out_) {
    connection.timed_out_ = false;
    return Wait::timed_out;
  }
  return Wait::ended;
}

ClientConnection::InputAwaiter ClientConnection::more_input(std::size_t known, std::uint64_t at_ms) {
  deadline_.set_at(at_ms);
  return {*this, known};
}

std::ptrdiff_t ClientConnection::write_now(std::string_view bytes) {
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
    auto* pending = new PendingWrite{{}, OneShot<bool>(loop_)};
    pending->request.data = pending;
    const OneShot<bool> done = pending->done;
    const uv_buf_t buffer = buffer_of(piece);
    uv_write(&pending->request, &stream_.stream, &buffer, 1, [](uv_write_t* request, int status) {
      const std::unique_ptr<PendingWrite> finished(static_cast<PendingWrite*>(request->data));
      finished->done.set(status == 0);
    });
    Timer stall(loop_.timers(), [this] { shut_down(SHUT_RDWR); });  // libuv then fails the write
    stall.set_in(kWriteStallMs);
    const bool written = co_await done;
    if (!written) co_return false;
    from += piece.size();
  }
  co_return true;
}

void ClientConnection::shut_down(int direction) {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<uv_handle_t*>(&stream_.stream), &fd);
  ::shutdown(fd, direction);
}

void ClientConnection::shut_down_writing() { shut_down(SHUT_WR); }

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
  uv_close(reinterpret_cast<uv_handle_t*>(&stream_.stream), [](uv_handle_t* handle) {
    auto& self = *static_cast<ClientConnection*>(handle->data);
    const auto on_closed = std::move(self.on_closed_);  // outlives the connection, which the call destroys
    on_closed(self);
  });
}

}  // namespace leger
