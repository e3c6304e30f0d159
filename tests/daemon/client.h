#pragma once

// A client that sends exactly the bytes it is told to and keeps exactly those that came. Used by the thread of a test;
// every wait is bounded in real time and throws when the bound is passed. It must not know the daemon's own parser.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leger::test {

// One whole answer, byte for byte, and its two halves.
struct Answer {
  int status = 0;
  std::string head;  // with its empty line
  std::string body;  // as it was sent: chunks are not put together
  std::string whole() const { return head + body; }
  bool has(std::string_view header_line) const;
};

class Client {
 public:
  static Client tcp(std::uint16_t port);
  static Client unix_socket(const std::string& path);
  // Both ends of a TCP connection of this process; the first is for a Client.
  static std::pair<int, int> pair();
  explicit Client(int fd) : fd_(fd) {}
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  // Sends all of it; throws where the other side has closed.
  void send(std::string_view bytes);
  // Sends while the other side takes it, at most `bytes`; how much that was. For clients that are cut off.
  std::size_t send_what_goes(std::string_view bytes);
  void end_sending();

  // The next answer. A client that sent HEAD says so: its answer has no body.
  enum class Body { expected, none };
  Answer read_answer(Body body = Body::expected);
  // Exactly `count` bytes, or fewer where the other side closes before.
  std::string read(std::size_t count);
  // What is there, waiting for something to be there; empty where the other side has closed.
  std::string read_some();
  // All until the other side closes; `reset_seen()` tells whether it closed by a reset.
  std::string read_to_end();
  bool reset_seen() const { return reset_; }

  // Whether nothing is there to be read and the other side has not closed, right now.
  bool is_quiet();

  // Whether the other side has closed, whatever there is still to be read.
  bool is_cut() const;

  int fd() const { return fd_; }

 private:
  bool receive();  // false at the end

  int fd_ = -1;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

// The next answer in `received`, which `receive` adds to until it says false; it is taken out.
Answer take_answer(std::string& received, const std::function<bool()>& receive, Client::Body body);

// One request on a connection of its own, over the Unix socket or TCP, that ends with it.
Answer ask(Client client, std::string_view request);

// Asks every millisecond until it is so, or until no honest wait is that long: for what happens on threads of the
// daemon's that no test can see.
bool comes_true(const std::function<bool()>& is_so);

// As ask(), but past the deployer's 503 while it looks for what was interrupted.
Answer ask_when_ready(Client client, std::string_view request);

// The text of a request with a Host header; with a JSON body where there is one.
std::string request(std::string_view method, std::string_view target, std::string_view body = {},
                    std::string_view extra_lines = {});

// `bytes` as one chunk of a chunked body.
std::string chunk(std::string_view bytes, std::string_view extension = {});

}  // namespace leger::test
