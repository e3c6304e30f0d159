#include "daemon/file_answer.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "backend/base/offload.h"
#include "backend/base/timers.h"

namespace leger {
namespace {

// What one job of the pool sends at most, so that several downloads share it.
constexpr std::uint64_t kBurst = 2 << 20;
constexpr std::size_t kTlsPiece = 128 * 1024;

Error cut_short() { return {Code::internal_error, "A stored file became shorter while it was sent.", {}, {}}; }

// Tells when a socket takes more. It watches a duplicate, since libuv has the socket's own descriptor for its stream.
class WritableWatch {
 public:
  // Null where there is no descriptor left.
  static std::unique_ptr<WritableWatch> of(Loop& loop, int socket) {
    const int copy = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return nullptr;
    return std::unique_ptr<WritableWatch>(new WritableWatch(loop, copy));
  }

  // False where it does not within 30 s. One wait at a time.
  Task<bool> wait() {
    OneShot<bool> ready(loop_);
    poll_->ready = ready;
    uv_poll_start(&poll_->handle, UV_WRITABLE, [](uv_poll_t* handle, int, int) {
      uv_poll_stop(handle);
      static_cast<Poll*>(handle->data)->ready.set(true);
    });
    Timer stall(loop_.timers(), [ready] { ready.set(false); });
    stall.set_in(ClientConnection::kWriteStallMs);
    const bool writable = co_await ready;
    uv_poll_stop(&poll_->handle);
    co_return writable;
  }

 private:
  // On the heap until libuv's last callback.
  struct Poll {
    Poll(Loop& loop, int descriptor) : ready(loop), socket(descriptor) {
      uv_poll_init(loop.uv(), &handle, descriptor);
      handle.data = this;
    }
    uv_poll_t handle{};
    OneShot<bool> ready;
    FileHandle socket;
  };
  struct Close {
    void operator()(Poll* poll) const {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle),
               [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
    }
  };

  WritableWatch(Loop& loop, int descriptor) : loop_(loop), poll_(new Poll(loop, descriptor)) {}

  Loop& loop_;
  std::unique_ptr<Poll, Close> poll_;
};

struct Burst {
  std::uint64_t sent = 0;
  enum class End { more, full, gone, short_file } end = End::more;
};

// In the pool: a page of the file that is not in memory is waited for there. The socket itself never blocks.
Burst send_burst(int socket, int file, std::uint64_t offset, std::uint64_t length) {
  Burst burst;
  auto at = static_cast<off_t>(offset);
  const std::uint64_t most = std::min(length, kBurst);
  while (burst.sent < most) {
    const ssize_t sent = ::sendfile(socket, file, &at, most - burst.sent);
    if (sent < 0 && errno == EINTR) continue;
    if (sent > 0) {
      burst.sent += static_cast<std::uint64_t>(sent);
      continue;
    }
    burst.end = sent == 0 ? Burst::End::short_file : errno == EAGAIN ? Burst::End::full : Burst::End::gone;
    break;
  }
  return burst;
}

Task<Result<bool>> send_plain(Loop& loop, int socket, FileBody body) {
  std::unique_ptr<WritableWatch> watch;
  while (body.length > 0) {
    const Burst burst = co_await offload(
        loop, [socket, &body] { return send_burst(socket, body.file.get(), body.offset, body.length); });
    body.offset += burst.sent;
    body.length -= burst.sent;
    if (burst.end == Burst::End::gone) co_return false;
    if (burst.end == Burst::End::short_file) co_return Fail(cut_short());
    if (burst.end == Burst::End::more) continue;
    if (!watch) watch = WritableWatch::of(loop, socket);
    if (!watch) co_return false;
    const bool writable = co_await watch->wait();
    if (!writable) co_return false;
  }
  co_return true;
}

Task<Result<bool>> send_encrypted(Loop& loop, ClientConnection& connection, FileBody body) {
  std::string piece;
  while (body.length > 0) {
    piece.resize(std::min<std::uint64_t>(body.length, kTlsPiece));
    const ssize_t got = co_await offload(loop, [&piece, &body] {
      return pread(body.file.get(), piece.data(), piece.size(), static_cast<off_t>(body.offset));
    });
    if (got <= 0) co_return Fail(cut_short());
    piece.resize(static_cast<std::size_t>(got));
    body.offset += piece.size();
    body.length -= piece.size();
    const bool sent = co_await connection.write(piece, 0);
    if (!sent) co_return false;
  }
  co_return true;
}

}  // namespace

Task<Result<bool>> send_file(Loop& loop, ClientConnection& connection, FileBody body) {
  if (connection.peer().is_tls) return send_encrypted(loop, connection, std::move(body));
  return send_plain(loop, connection.descriptor(), std::move(body));
}

}  // namespace leger
