#pragma once

// A scripted HTTP server in a thread of its own, on a Unix socket or on loopback: it asks the test for the bytes of
// each answer, well formed or not, and serves any number of connections at once, so that one that hangs holds no other.

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace leger::test {

struct SeenRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct Reply {
  enum class Pace { at_once, byte_by_byte, never };
  std::string bytes;  // empty: the connection is closed without an answer
  Pace pace = Pace::at_once;
};

// A whole answer with status and body.
std::string http_answer(int status, const std::string& body, const std::string& type = "application/json");

class HttpServer {
 public:
  // Runs on the server's thread.
  using Handler = std::function<Reply(const SeenRequest&)>;

  // Listens on the Unix socket `path`, in the place of one that is there; it is left behind, as a process that ends
  // leaves it.
  HttpServer(const std::string& path, Handler handler);
  // Listens on a free port of 127.0.0.1.
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `http://127.0.0.1:PORT`.
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Every request that came whole, in order; any thread.
  std::vector<SeenRequest> seen() const;

 private:
  struct Connection {
    int fd = -1;
    std::string received;
    bool is_asked = false;
    Reply reply;
    std::size_t sent = 0;
  };

  void start();
  void serve();
  void act(Connection& connection, short events);
  void read_from(Connection& connection);
  void write_to(Connection& connection);
  static bool is_slow(const Connection& connection);
  static short wanted(const Connection& connection);
  static void finish(Connection& connection);

  Handler handler_;
  int port_ = 0;
  int listener_ = -1;
  int stop_ = -1;  // an eventfd that ends serve()
  std::vector<Connection> connections_;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::thread thread_;
};

}  // namespace leger::test
