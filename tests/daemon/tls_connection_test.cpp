// A ClientConnection over TLS by itself: answers larger than records and sockets, slow readers, back-pressure.

#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include "daemon/client_connection.h"
#include "daemon/tls_context.h"
#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"

namespace leger::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kNever = UINT64_MAX;

// Every byte tells where it belongs, more or less.
std::string long_text(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i / 7 + i / 16'384) % 26);
  return text;
}

// One connection on a loop of its own: waits for a first byte, or for as much as there is room for, answers, closes.
class Answering {
 public:
  enum class After { first_byte, told };

  explicit Answering(std::string answer, After after = After::first_byte)
      : answer_(std::move(answer)),
        after_(after),
        pair_(Client::pair()),
        loop_(clock_),
        told_(loop_),
        closed_(loop_),
        over_(loop_) {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // as main does
    for (const int fd : {pair_.first, pair_.second}) {
      const int small = 64 * 1024;
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    auto context = TlsContext::make(
        {.chain = certificate_.certificate, .chain_name = "chain", .key = certificate_.key, .key_name = "key"});
    context_ = context.value();
    thread_ = std::thread([this] {
      loop_.spawn(serve(), [](std::exception_ptr) { std::terminate(); });
      loop_.run_until_idle();
    });
  }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;
  ~Answering() {
    loop_.post([this] { over_.set(true); });
    thread_.join();
  }

  Client client() { return Client(std::exchange(pair_.first, -1)); }
  // Runs on the connection's thread and gives what `question` gives.
  std::size_t input_size() {
    std::promise<std::size_t> size;
    loop_.post([&] { size.set_value(connection_.input().size()); });
    return size.get_future().get();
  }
  void tell() {
    loop_.post([this] { told_.set(true); });
  }
  void advance(std::uint64_t milliseconds) {
    std::promise<void> done;
    loop_.post([&] {
      clock_.advance(milliseconds);
      loop_.timers().run_due();
      done.set_value();
    });
    done.get_future().get();
  }
  // Known once the client has seen the end.
  bool written() const { return written_; }
  bool was_tls() const { return was_tls_; }

 private:
  Task<void> serve() {
    uv_tcp_open(reinterpret_cast<uv_tcp_t*>(connection_.make_stream(false)), pair_.second);
    connection_.open(context_);
    was_tls_ = connection_.peer().is_tls;
    if (after_ == After::told) co_await told_;
    const auto wait = co_await connection_.more_input(0, kNever);
    bool sent = wait == ClientConnection::Wait::ready;
    if (sent) {
      const std::ptrdiff_t taken = connection_.write_now(answer_);
      sent = taken >= 0;
      if (sent && static_cast<std::size_t>(taken) < answer_.size()) {
        sent = co_await connection_.write(answer_, static_cast<std::size_t>(taken));
      }
    }
    written_ = sent;
    connection_.close();
    co_await closed_;
    co_await over_;
  }

  const std::string answer_;
  const After after_;
  const TestPair certificate_ = make_pair();
  std::pair<int, int> pair_;
  FakeClock clock_;
  Loop loop_;
  OneShot<bool> told_;
  OneShot<bool> closed_;
  OneShot<bool> over_;
  std::string read_buffer_;
  std::shared_ptr<TlsContext> context_;
  ClientConnection connection_{loop_, read_buffer_, [this](ClientConnection&) { closed_.set(true); }};
  std::atomic<bool> written_ = false;
  std::atomic<bool> was_tls_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("answers of any size come whole over TLS") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{16'383}, std::size_t{16'384}, std::size_t{16'385},
                                   std::size_t{65'536}, std::size_t{65'537}, 8 * kMiB}) {
      CAPTURE(size);
      const std::string text = long_text(size);
      Answering server(text);
      TlsClient client(server.client(), {.most_version = version});
      REQUIRE(client.shake_hands());
      client.send("?");
      CHECK((client.read_to_end() == text));
      CHECK(client.end_was_said());
      CHECK(server.was_tls());
    }
  }
}

TEST_CASE("a slow reader gets all of a large answer, its time beginning anew with what it reads") {
  const std::string text = long_text(4 * kMiB);
  Answering server(text);
  TlsClient client(server.client());
  REQUIRE(client.shake_hands());
  client.send("?");
  std::string got;
  while (got.size() < kMiB) {
    got += client.read(300'000);
    server.advance(100);
  }
  server.advance(29'000);
  got += client.read_to_end();
  CHECK((got == text));
}

TEST_CASE("a reader that is stuck is cut off after 30 s") {
  Answering server(long_text(16 * kMiB));
  TlsClient client(server.client());
  REQUIRE(client.shake_hands());
  client.send("?");
  CHECK(client.read(1).size() == 1);
  // Writing begins with the first byte: it is under way, and stuck once the socket is full.
  for (int i = 0; i < 50; ++i) server.advance(0);
  for (int i = 0; i < 3; ++i) server.advance(30'000);  // again, where the kernel took a last piece meanwhile
  CHECK(client.read_to_end().size() < 16 * kMiB);
  CHECK_FALSE(client.end_was_said());
  CHECK_FALSE(server.written());
}

TEST_CASE("what nobody consumes is not read any further than 64 KiB and a record") {
  Answering server("done", Answering::After::told);
  TlsClient client(server.client());
  REQUIRE(client.shake_hands());
  const std::string sealed = client.seal(long_text(8 * kMiB));
  std::size_t sent = 0;
  std::size_t largest = 0;
  for (int quiet = 0; quiet < 100;) {
    const ssize_t taken = ::send(client.raw().fd(), sealed.data() + sent, sealed.size() - sent, MSG_DONTWAIT);
    largest = std::max(largest, server.input_size());
    quiet = taken > 0 ? 0 : quiet + 1;
    sent += taken > 0 ? static_cast<std::size_t>(taken) : 0;
  }
  CHECK(sent < 8 * kMiB);
  CHECK(largest >= 64 * 1024);
  CHECK(largest <= 64 * 1024 + 17 * 1024);
  server.tell();
}

TEST_CASE("both sides may send at once") {
  const std::string text = long_text(4 * kMiB);
  Answering server(text);
  TlsClient client(server.client());
  REQUIRE(client.shake_hands());
  client.send("?");
  std::string got;
  // No longer than half of it: what a closed socket has not read would reset the connection under the rest.
  for (int i = 0; i < 20; ++i) {
    client.send(std::string(1000, 'x'));
    client.change_keys();
    got += client.read(100'000);
  }
  got += client.read_to_end();
  CHECK((got == text));
}

}  // namespace leger::test
