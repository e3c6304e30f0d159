#pragma once

// A tailscaled for tests: the three questions of its LocalAPI, on a Unix socket, answered from a script that may change
// while it runs, and the ways in which it can misbehave. Thread safe.

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/json.h"
#include "tests/fakes/http_server.h"

namespace leger::test {

// A node and its user as whois and status tell them; the fields that a test changes most. What else is to be odd is
// changed in the JSON.
struct FakeNode {
  std::int64_t user_id = 101;
  std::string login_name = "alice@example.com";
  std::string display_name = "Alice";
  std::int64_t node_id = 11;
  std::string stable_id = "nAliceCNTRL";
  std::string hostname = "laptop";  // its MagicDNS name is HOSTNAME.tail-test.ts.net
  std::vector<std::string> ips = {"100.64.0.2", "fd7a:115c:a1e0::2"};
  std::vector<std::string> tags = {};
  std::vector<std::string> roles = {};  // of the app capability leger.run/cap/legerd
  std::int64_t sharer = 0;
  std::string key_expiry = {};  // RFC 3339; empty: never
  bool is_authorized = true;
};

// What tailscaled 1.98 answers about it, shaped like real answers.
Json whois_answer(const FakeNode& node = {});
Json status_answer(const FakeNode& node = {});

class FakeTailscaled {
 public:
  enum class Fault {
    none,
    hang,            // takes the request and says nothing
    byte_by_byte,    // the right answer, too slowly to end in time
    garbage,         // bytes that are not HTTP
    huge,            // JSON of more than any answer may have
    close,           // no answer
    refuse,          // refuse_with()'s status and words
    wrong_types,     // numbers as texts, texts as numbers
    truncated_json,  // half of the JSON in a whole HTTP answer
    cut_off,         // half of an HTTP answer
  };

  // Listens on `path`, in the place of a socket that an earlier one left there.
  explicit FakeTailscaled(const std::string& path);

  const std::string& path() const { return path_; }

  // Answers whois of `address`: `100.64.0.2:1234`, or without a port for all of its ports (`fd7a::1` for IPv6).
  void set_whois(const std::string& address, const Json& answer);
  // Nobody there any more: 404, as for all addresses without an answer.
  void forget_whois(const std::string& address);
  // Answers whois of every address that has no answer of its own.
  void set_default_whois(const Json& answer);
  // Answers status; without it the node waits for its first sign-in.
  void set_status(const Json& answer);
  // Answers for every domain: 200 and the PEM pair, or a refusal. Without it 500 and tailscaled's words.
  void set_certificate(int status, const std::string& body);

  // Until the next call.
  void set_fault(Fault fault);
  // set_fault(refuse) with this status and words of its own.
  void refuse_with(int status, const std::string& words);

  // How often it was asked `whois`, `status` or `cert`; and all that was asked.
  std::size_t count(const std::string& question) const;
  std::vector<SeenRequest> seen() const { return server_.seen(); }

 private:
  using Answer = std::pair<int, std::string>;

  Reply answer_to(const SeenRequest& request);
  Answer right_answer(const std::string& target) const;
  Answer whois_of(const std::string& address) const;

  const std::string path_;
  mutable std::mutex mutex_;
  std::map<std::string, Json> whois_;  // by address; the default by ""
  Json status_;
  Answer certificate_;
  Answer refusal_;
  Fault fault_ = Fault::none;
  HttpServer server_;
};

}  // namespace leger::test
