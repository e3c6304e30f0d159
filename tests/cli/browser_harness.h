#pragma once

// Plays the browser: $BROWSER is a script that hands the address over, and a thread of the test does what the page
// would do with it.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cli/loopback_listener.h"
#include "tests/cli/sign_in_harness.h"

namespace leger::test {

// Sends bytes to a port of 127.0.0.1 and gives all that comes back until the end.
inline std::string send_to(std::uint16_t port, std::string_view bytes) {
  const Descriptor connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return "refused";
  if (send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return "closed";
  std::string received;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t count = recv(connection.get(), block.data(), block.size(), 0);
    if (count <= 0) return received;
    received.append(block.data(), static_cast<std::size_t>(count));
  }
}

inline std::string get_line(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
}

// `Location` of an answer.
inline std::string location_of(const std::string& answer) {
  constexpr std::string_view kName = "\r\nLocation: ";
  const std::size_t begin = answer.find(kName);
  if (!answer.starts_with("HTTP/1.1 303 ") || begin == std::string::npos) return "none: " + answer;
  const std::size_t end = answer.find("\r\n", begin + 2);
  return answer.substr(begin + kName.size(), end - begin - kName.size());
}

// The page that leger opened, as its query says.
struct OpenedPage {
  std::string address;
  Query query;

  explicit OpenedPage(std::string opened) : address(std::move(opened)) {
    query = parse_query(std::string_view(address).substr(std::min(address.find('?') + 1, address.size())));
  }
  std::string at(const std::string& name) const { return query.contains(name) ? query.at(name) : ""; }
  std::uint16_t port() const {
    const std::string uri = at("redirect_uri");
    const auto number = parse_port(uri);
    return number;
  }
  // What the listener answers to a browser that was sent back with this query.
  std::string come_back(const std::string& sent) const { return send_to(port(), get_line("/?" + sent)); }
  std::string come_back_with_code() const { return come_back("code=ABCD-EFGH-JKLM&state=" + at("state")); }

 private:
  static std::uint16_t parse_port(const std::string& uri) {
    const std::size_t colon = uri.rfind(':');
    return colon == std::string::npos ? 0 : static_cast<std::uint16_t>(std::atoi(uri.c_str() + colon + 1));
  }
};

class BrowserHarness : public SignInHarness {
 public:
  BrowserHarness() {
    REQUIRE(mkfifo(pipe_.c_str(), 0600) == 0);
    const std::string script = write_file("browser", "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + pipe_ + "\n");
    REQUIRE(chmod(script.c_str(), 0700) == 0);
    io.environment["BROWSER"] = script;
    // Both ends here, so that opening waits for nobody.
    reader_ = open(pipe_.c_str(), O_RDWR | O_CLOEXEC);
  }
  ~BrowserHarness() { close(reader_); }
  BrowserHarness(const BrowserHarness&) = delete;
  BrowserHarness& operator=(const BrowserHarness&) = delete;

  // Runs `leger --server URL …` while a thread calls `play` with the page that was opened.
  template <class Play>
  Ran browse(const std::vector<std::string>& arguments, Play play) {
    std::thread browser([this, &play] { play(OpenedPage(opened())); });
    Ran ran = run_there(arguments);
    browser.join();
    return ran;
  }

  // The last argument of the browser; empty where none was started within 10 s.
  std::string opened() const {
    std::string line;
    for (;;) {
      pollfd readable{.fd = reader_, .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, 10'000) != 1) return "";
      char byte = 0;
      if (read(reader_, &byte, 1) != 1) return "";
      if (byte == '\n') return line;
      line += byte;
    }
  }

 private:
  std::string pipe_ = folder / "opened";
  int reader_ = -1;
};

}  // namespace leger::test
