#include "daemon/router.h"

#include <doctest/doctest.h>

#include <array>
#include <map>

#include "daemon/routes.h"

namespace leger::test {
namespace {

constexpr const char* kOwner = "11111111-2222-5333-8444-555555555555";
const Peer kStranger{};
const Peer kOwnAccount{.is_unix = true, .is_own_account = true};
const Peer kOtherAccount{.is_unix = true, .is_own_account = false};

struct Found {
  Result<void> result;
  Router::Match match;
  std::string code() const { return result ? "" : std::string(name_of(result.error().code)); }
};

Found find(Method method, std::string_view path, const Peer& peer) {
  static const Router router(routes(), kOwner);
  Found found;
  found.result = router.find({.method = method, .path = path}, peer, found.match);
  return found;
}

// The pattern with a value for each of its parameters.
std::string path_of(const Route& route) {
  std::string path(route.pattern);
  for (std::size_t at = 0; (at = path.find(':')) != std::string::npos;) {
    path.replace(at, path.find('/', at) - at, "zz9");
  }
  return path;
}

}  // namespace

TEST_CASE("every route lets in whom its scope says, and nobody else") {
  std::size_t open = 0;
  for (const Route& route : routes()) {
    const std::string path = path_of(route);
    CAPTURE(path);
    const Found owner = find(route.method, path, kOwnAccount);
    CHECK(owner.result.has_value());
    CHECK(owner.match.route == &route);
    CHECK(owner.match.caller.user_uuid == kOwner);
    CHECK(owner.match.caller.is_operator);
    CHECK(find(route.method, path, kOtherAccount).code() == "insufficient_permissions");
    const Found stranger = find(route.method, path, kStranger);
    if (route.scope == Scope::open) {
      ++open;
      CHECK(stranger.match.route == &route);
      CHECK(stranger.match.caller.user_uuid.empty());
    } else {
      CHECK(stranger.code() == "invalid_token");
      CHECK(stranger.match.route == nullptr);
    }
  }
  CHECK(open == 2);  // /health and /api/health
}

TEST_CASE("a stranger learns of no path that is not public") {
  for (const char* path :
       {"/", "", "*", "/api", "/api/absent", "/healthz", "/health/", "/api/secrets/", "/api/secrets/x/y",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "/api/releases/latest"}) {
    for (const Method method :
         {Method::get, Method::head, Method::post, Method::put, Method::del, Method::options, Method::other}) {
      CAPTURE(path);
      CHECK(find(method, path, kStranger).code() == "invalid_token");
    }
  }
}

TEST_CASE("a public path tells a stranger its methods") {
  const Found wrong = find(Method::post, "/health", kStranger);
  CHECK(wrong.code() == "method_not_allowed");
  CHECK(wrong.match.allow == "GET, HEAD, OPTIONS");
  const Found options = find(Method::options, "/health", kStranger);
  CHECK(options.result.has_value());
  CHECK(options.match.route == nullptr);
  CHECK(options.match.allow == "GET, HEAD, OPTIONS");
}

TEST_CASE("a path that is public for one method is not so for another") {
  static constexpr std::array kTable{Route{Method::get, "/both", Scope::open, Body::none, get_health},
                                     Route{Method::post, "/both", Scope::user, Body::none, get_health}};
  const Router router(kTable, kOwner);
  const auto code = [&router](Method method) {
    Router::Match match;
    const auto found = router.find({.method = method, .path = "/both"}, kStranger, match);
    return found ? "" : std::string(name_of(found.error().code));
  };
  CHECK(code(Method::get) == "");
  CHECK(code(Method::head) == "");
  CHECK(code(Method::post) == "invalid_token");
  CHECK(code(Method::put) == "method_not_allowed");
}

TEST_CASE("each path knows its methods") {
  const std::map<std::string, std::string> allowed{
      {"/health", "GET, HEAD, OPTIONS"},
      {"/api/health", "GET, HEAD, OPTIONS"},
      {"/api/secrets", "GET, HEAD, OPTIONS"},
      {"/secrets/list", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/secrets/x", "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
      {"/secrets/get/x", "GET, HEAD, OPTIONS"},
      {"/secrets/x", "DELETE, OPTIONS"},
      {"/api/releases", "GET, HEAD, POST, OPTIONS"},
      {"/api/releases/latest", "GET, HEAD, OPTIONS"},
      {"/api/releases/7", "GET, HEAD, OPTIONS"},
      {"/api/deployments", "GET, HEAD, POST, OPTIONS"},
      {"/api/deployments/x", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/services", "GET, HEAD, OPTIONS"},
  };
  for (const auto& [path, methods] : allowed) {
    CAPTURE(path);
    CHECK(find(Method::options, path, kOwnAccount).match.allow == methods);
    const Found other = find(Method::other, path, kOwnAccount);
    CHECK(other.code() == "method_not_allowed");
    CHECK(other.match.allow == methods);
  }
}

TEST_CASE("a literal segment is meant before a parameter") {
  const auto handler = [](Method method, std::string_view path) {
    return find(method, path, kOwnAccount).match.route->handler;
  };
  CHECK((handler(Method::get, "/api/secrets/list") == list_secrets));
  CHECK((handler(Method::get, "/api/secrets/lis") == get_secret));
  CHECK((handler(Method::post, "/api/secrets/set") == set_named_secret));
  CHECK((handler(Method::put, "/api/secrets/set") == set_secret));
  CHECK((handler(Method::post, "/api/secrets/list") == set_secret));
  CHECK((handler(Method::get, "/api/releases/latest") == get_latest_release));
  CHECK((handler(Method::get, "/api/releases/7") == get_release));
  CHECK((handler(Method::del, "/secrets/list") == delete_secret));
  CHECK((handler(Method::head, "/api/secrets/list") == list_secrets));
}

TEST_CASE("parameters are decoded once, in order") {
  const auto parameters = [](std::string_view path) { return find(Method::get, path, kOwnAccount).match.parameters; };
  CHECK(parameters("/api/secrets/a%3Ab") == std::vector<std::string>{"a:b"});
  CHECK(parameters("/api/secrets/%2561") == std::vector<std::string>{"%61"});
  CHECK(parameters("/api/secr%65ts/x") == std::vector<std::string>{"x"});
  CHECK(parameters("/api/secrets/list").empty());
}

TEST_CASE("a path whose escapes hide something is no request") {
  for (const char* path :
       {"/api/secrets/a%2fb", "/api/secrets/%2F", "/api/secrets/..", "/api/secrets/.", "/api/secrets/%2e%2e",
        "/api/../secrets", "/api/secrets/%00", "/api/secrets/a%00", "/api/secrets/%ff", "/api/secrets/%c0%af",
        "/api/secrets/%", "/api/secrets/%4", "/api/secrets/%zz", "/api/secrets/\xff"}) {
    for (const Peer& peer : {kOwnAccount, kStranger}) {
      CAPTURE(path);
      CHECK(find(Method::get, path, peer).code() == "bad_request");
    }
  }
}

TEST_CASE("what is not there is not found") {
  for (const char* path : {"/", "", "*", "/API/secrets", "/api//secrets", "/api/secrets/", "//", "/api/secrets/a/b",
                           "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"}) {
    CAPTURE(path);
    CHECK(find(Method::get, path, kOwnAccount).code() == "not_found");
    CHECK(find(Method::options, path, kOwnAccount).code() == "not_found");
  }
}

TEST_CASE("the account of the Unix socket is asked before anything else") {
  CHECK(find(Method::get, "/health", kOtherAccount).code() == "insufficient_permissions");
  CHECK(find(Method::get, "/absent", kOtherAccount).code() == "insufficient_permissions");
  CHECK(find(Method::options, "/health", kOtherAccount).code() == "insufficient_permissions");
}

}  // namespace leger::test
