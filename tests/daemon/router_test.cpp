#include "daemon/router.h"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/routes.h"

namespace leger::test {
namespace {

enum class Who { stranger, user, owner };

struct Found {
  Code code = Code::internal_error;  // internal_error: let through
  Router::Match match;
  std::string name() const { return code == Code::internal_error ? "" : std::string(name_of(code)); }
};

// As a connection asks: where the path leads, whether that needs a caller, whether this one may.
Found find_in(const Router& router, Method method, std::string_view path, Who who) {
  const Head head{.method = method, .path = path};
  auto match = router.find(head);
  if (!match) return {match.error().code, {}};
  if (who == Who::stranger && !match->is_open) return {Code::invalid_token, std::move(*match)};
  const Caller caller{.user_uuid = "u", .is_operator = who == Who::owner};
  const auto admitted = Router::admit(*match, head, who == Who::stranger ? nullptr : &caller);
  return {admitted ? Code::internal_error : admitted.error().code, std::move(*match)};
}

Found find(Method method, std::string_view path, Who who) {
  static const Router router(routes());
  return find_in(router, method, path, who);
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
  std::vector<std::string> open;
  std::size_t operators = 0;
  for (const Route& route : routes()) {
    const std::string path = path_of(route);
    CAPTURE(path);
    const Found owner = find(route.method, path, Who::owner);
    CHECK(owner.name() == "");
    CHECK(owner.match.route == &route);
    const Found user = find(route.method, path, Who::user);
    CHECK(user.name() == (route.scope == Scope::op || route.scope == Scope::host ? "insufficient_permissions" : ""));
    const Found stranger = find(route.method, path, Who::stranger);
    CHECK(stranger.name() == (route.scope == Scope::open ? "" : "invalid_token"));
    if (route.scope == Scope::open) open.emplace_back(route.pattern);
    operators += route.scope == Scope::op ? 1 : 0;
  }
  CHECK(operators >= 5);
  CHECK(open == std::vector<std::string>{"/health", "/api/health", "/api/auth/cli", "/auth/cli", "/api/auth/web",
                                         "/api/auth/peer", "/api/auth/exchange", "/auth/callback", "/*"});
}

TEST_CASE("a stranger learns of no path of the API that is not public") {
  for (const char* path : {"", "*", "/api", "/api/", "/api/absent", "/auth", "/auth/x", "/secrets", "/secrets/x/y",
                           "/metrics", "/metrics/x", "/api/secrets/", "/api/secrets/x/y", "/%61pi/x",
                           "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "/api/releases/latest"}) {
    for (const Method method :
         {Method::get, Method::head, Method::post, Method::put, Method::del, Method::options, Method::other}) {
      CAPTURE(path);
      CHECK(find(method, path, Who::stranger).name() == "invalid_token");
    }
  }
}

TEST_CASE("every path that is not of the API gives the page") {
  for (const char* path : {"/", "//", "/login", "/api-keys", "/releases/3", "/apix", "/secretsx", "/healthz",
                           "/health/", "/API/secrets", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"}) {
    CAPTURE(path);
    const Found page = find(Method::get, path, Who::stranger);
    REQUIRE(page.match.route != nullptr);
    CHECK((page.match.route->handler == get_page));
    CHECK(find(Method::post, path, Who::stranger).name() == "method_not_allowed");
  }
}

TEST_CASE("a public path tells a stranger its methods") {
  const Found wrong = find(Method::post, "/health", Who::stranger);
  CHECK(wrong.name() == "method_not_allowed");
  CHECK(wrong.match.allow == "GET, HEAD, OPTIONS");
  const Found options = find(Method::options, "/health", Who::stranger);
  CHECK(options.name() == "");
  CHECK(options.match.route == nullptr);
  CHECK(options.match.allow == "GET, HEAD, OPTIONS");
}

TEST_CASE("a path that is public for one method is not so for another") {
  static constexpr std::array kTable{Route{Method::get, "/both", Scope::open, Body::none, get_health},
                                     Route{Method::post, "/both", Scope::user, Body::none, get_health}};
  const Router router(kTable);
  const auto code = [&router](Method method) { return find_in(router, method, "/both", Who::stranger).name(); };
  CHECK(code(Method::get) == "");
  CHECK(code(Method::head) == "");
  CHECK(code(Method::post) == "invalid_token");
  CHECK(code(Method::put) == "method_not_allowed");
}

TEST_CASE("each path knows its methods") {
  const std::map<std::string, std::string> allowed{
      {"/health", "GET, HEAD, OPTIONS"},
      {"/login", "GET, HEAD, OPTIONS"},
      {"/auth/callback", "GET, HEAD, OPTIONS"},
      {"/auth/cli", "POST, OPTIONS"},
      {"/api/auth/sessions/x", "DELETE, OPTIONS"},
      {"/api/health", "GET, HEAD, OPTIONS"},
      {"/api/secrets", "GET, HEAD, OPTIONS"},
      {"/secrets/list", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/secrets/x", "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
      {"/secrets/get/x", "GET, HEAD, OPTIONS"},
      {"/secrets/x", "DELETE, OPTIONS"},
      {"/api/releases", "GET, HEAD, POST, OPTIONS"},
      {"/api/releases/latest", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/releases/7", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/releases/7/download", "GET, HEAD, OPTIONS"},
      {"/api/releases/latest/download", "GET, HEAD, OPTIONS"},
      {"/api/releases/7/files/a/b", "GET, HEAD, OPTIONS"},
      {"/api/deployments", "GET, HEAD, POST, OPTIONS"},
      {"/api/deployments/x", "GET, HEAD, DELETE, OPTIONS"},
      {"/api/services", "GET, HEAD, OPTIONS"},
  };
  for (const auto& [path, methods] : allowed) {
    CAPTURE(path);
    CHECK(find(Method::options, path, Who::owner).match.allow == methods);
    const Found other = find(Method::other, path, Who::owner);
    CHECK(other.name() == "method_not_allowed");
    CHECK(other.match.allow == methods);
  }
}

TEST_CASE("a literal segment is meant before a parameter") {
  const auto handler = [](Method method, std::string_view path) {
    return find(method, path, Who::owner).match.route->handler;
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
  const auto parameters = [](std::string_view path) { return find(Method::get, path, Who::owner).match.parameters; };
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
    for (const Who who : {Who::owner, Who::stranger}) {
      CAPTURE(path);
      CHECK(find(Method::get, path, who).name() == "bad_request");
    }
  }
}

TEST_CASE("what is not there is not found") {
  for (const char* path : {"", "*", "/api//secrets", "/api/secrets/", "/api/secrets/a/b", "/secrets", "/auth",
                           "/metrics", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"}) {
    CAPTURE(path);
    CHECK(find(Method::get, path, Who::owner).name() == "not_found");
    CHECK(find(Method::options, path, Who::owner).name() == "not_found");
  }
}

TEST_CASE("a parameter at the end takes the rest of a path, decoded once") {
  const auto rest = [](std::string_view path) {
    const auto match = find(Method::get, path, Who::user).match;
    return match.route == nullptr || match.parameters.size() != 2 ? "none" : match.parameters.back();
  };
  CHECK(rest("/api/releases/7/files/a") == "a");
  CHECK(rest("/api/releases/7/files/conf/a.conf") == "conf/a.conf");
  CHECK(rest("/api/releases/7/files/%61%2562") == "a%62");
  CHECK(rest("/api/releases/7/files/") == "");
  CHECK(rest("/api/releases/7/files//a//") == "/a//");
  CHECK(rest("/api/releases/7/files/a/b/c/d/e/f/g/h/i/j/k/l") == "a/b/c/d/e/f/g/h/i/j/k/l");
  CHECK(rest("/api/releases/7/files") == "none");
  CHECK(rest("/api/releases//files/a") == "none");
  for (const char* hidden : {"..", ".", "a/../b", "%2e%2e", "a%2fb", "a%00", "%ff", "%"}) {
    CAPTURE(hidden);
    CHECK(find(Method::get, std::string("/api/releases/7/files/") + hidden, Who::user).name() == "bad_request");
  }
}

}  // namespace leger::test
