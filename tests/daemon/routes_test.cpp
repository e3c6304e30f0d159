// Health, strangers, methods, deployments and services on the running daemon, as whole answers.

#include <doctest/doctest.h>

#include <format>

#include "daemon/router.h"
#include "daemon/routes.h"
#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::string_view kSignIn =
    R"({"success":false,"error":{"code":"invalid_token","message":"This needs a sign-in.","action":)"
    R"("Sign in: leger auth login. On the host itself the Unix socket needs none: run leger without --server."}})";
constexpr std::string_view kSignInCli =
    R"({"success":false,"error":"invalid_token","message":"This needs a sign-in."})";
constexpr std::string_view kBearer = "WWW-Authenticate: Bearer\r\n";

std::string failure_body(std::string_view code, std::string_view message) {
  return std::format(R"({{"success":false,"error":{{"code":"{}","message":"{}"}}}})", code, message);
}

}  // namespace

TEST_CASE("health is told to everybody, without an envelope") {
  RunningDaemon daemon({.environment = "a \"test\" \xc3\xa9"});
  for (const std::string_view path : {"/health", "/api/health", "/health?x=y"}) {
    for (const bool local : {false, true}) {
      Client client = local ? daemon.unix_socket() : daemon.tcp();
      client.send(request("GET", path));
      CHECK(client.read_answer().whole() ==
            daemon.answer("200 OK", std::format(R"({{"status":"healthy","service":"legerd","version":"{}",)"
                                                R"("environment":"a \"test\" {}","timestamp":"{}"}})",
                                                LEGER_VERSION, "\xc3\xa9", daemon.now())));
    }
  }
  daemon.advance(1'000);
  const Answer later = ask(daemon.tcp(), request("GET", "/health"));
  CHECK(later.whole().contains("\"timestamp\":\"" + daemon.now() + "\""));
  CHECK(later.has("Date: " + http_date(FakeClock().wall_seconds() + 1)));
}

TEST_CASE("a stranger gets 401 for everything else, absent paths too") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  for (const std::string_view path :
       {"/api", "/api/secrets", "/api/secrets/x", "/api/absent", "/api/releases", "/api/deployments/x", "/api/services",
        "/api/auth/me", "/metrics", "/auth/absent", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r"}) {
    for (const std::string_view method : {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
      CAPTURE(path);
      CAPTURE(method);
      client.send(request(method, path));
      CHECK(client.read_answer().whole() == daemon.answer("401 Unauthorized", kSignIn, kBearer));
    }
  }
  for (const std::string_view path : {"/secrets/list", "/secrets", "/api/secrets/get/x", "/secrets/a/b/c"}) {
    CAPTURE(path);
    client.send(request("GET", path));
    CHECK(client.read_answer().whole() == daemon.answer("401 Unauthorized", kSignInCli, kBearer));
  }
}

TEST_CASE("no header makes a stranger somebody") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  for (const std::string_view line :
       {"Authorization: Bearer x", "Authorization: Basic cm9vdDo=", "Tailscale-User-Login: owner",
        "X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Cookie: session=1"}) {
    CAPTURE(line);
    client.send(request("GET", "/api/secrets", {}, std::string(line) + "\r\n"));
    CHECK(client.read_answer().status == 401);
  }
}

TEST_CASE("every route that is not public is closed to strangers, with and without a body") {
  RunningDaemon daemon;
  for (const Route& route : routes()) {
    const std::string_view method = route.method == Method::get    ? "GET"
                                    : route.method == Method::post ? "POST"
                                    : route.method == Method::put  ? "PUT"
                                                                   : "DELETE";
    const std::string path(route.pattern);
    CAPTURE(path);
    // An exchange without a code is refused by 401 itself, for want of a code.
    const bool open = route.scope == Scope::open;
    if (route.handler == exchange_code) continue;
    CHECK((ask(daemon.tcp(), request(method, path)).status == 401) == !open);
    const Answer answer = ask(daemon.tcp(), request(method, path, "{}"));
    CHECK((answer.status == 401) == !open);
    if (!open) CHECK(answer.has("Connection: close"));
  }
}

TEST_CASE("the owner is told what is absent, and which methods a path has") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/absent"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("404 Not Found", failure_body("not_found", "There is nothing at this path.")));
  client.send(request("GET", "/secrets/a/b"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("404 Not Found",
                      R"({"success":false,"error":"not_found","message":"There is nothing at this path."})"));
  client.send(request("PATCH", "/api/secrets"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("405 Method Not Allowed",
                      failure_body("method_not_allowed", "This path does not take this method."),
                      "Allow: GET, HEAD, OPTIONS\r\n"));
  client.send(request("GET", "/secrets/x"));
  CHECK(client.read_answer().whole() ==
        daemon.answer(
            "405 Method Not Allowed",
            R"({"success":false,"error":"method_not_allowed","message":"This path does not take this method."})",
            "Allow: DELETE, OPTIONS\r\n"));
}

TEST_CASE("over TCP a host that is not ours is refused before anything else is said") {
  RunningDaemon daemon;
  for (const std::string_view path : {"/health", "/login", "/api/secrets", "/api/absent"}) {
    CAPTURE(path);
    Client client = daemon.tcp();
    client.send(std::format("GET {} HTTP/1.1\r\nHost: evil.example\r\n\r\n", path));
    const Answer answer = client.read_answer();
    CHECK(answer.status == 421);
    CHECK(answer.body.contains("evil.example"));
    client.send(std::format("GET {} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", path, daemon.port()));
    CHECK(client.read_answer().status != 421);
  }
}

TEST_CASE("a page of another origin changes nothing and learns nothing, whatever the route") {
  RunningDaemon daemon;
  for (const Route& route : routes()) {
    const bool changes = route.method != Method::get;
    const std::string method = route.method == Method::get    ? "GET"
                               : route.method == Method::post ? "POST"
                               : route.method == Method::put  ? "PUT"
                                                              : "DELETE";
    CAPTURE(route.pattern);
    for (const std::string_view line : {"Origin: http://localhost:3000\r\n", "Origin: null\r\n"}) {
      CHECK(ask(daemon.tcp(), request(method, route.pattern, {}, line)).status == 403);
    }
    for (const std::string_view line : {"Sec-Fetch-Site: same-site\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
      const Answer answer = ask(daemon.tcp(), request(method, route.pattern, {}, line));
      CHECK(answer.body.contains("forbidden_origin") == changes);
    }
  }
}

TEST_CASE("a body of a type that a form can send is not taken") {
  RunningDaemon daemon;
  for (const std::string_view type : {"text/plain", "application/x-www-form-urlencoded",
                                      "multipart/form-data; boundary=x", "text/json", "application/jsonx", ""}) {
    for (const std::string_view path : {"/api/auth/web", "/auth/cli", "/api/auth/cli", "/api/auth/exchange"}) {
      CAPTURE(type);
      const Answer answer = ask(daemon.tcp(), request("POST", path, "{}", std::format("Content-Type: {}\r\n", type)));
      CHECK(answer.status == 415);
    }
  }
}

TEST_CASE("any Host is good on the Unix socket") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  for (const std::string_view host : {"localhost", "evil.example", "[::1]:80", ""}) {
    client.send(std::format("GET /api/secrets HTTP/1.1\r\nHost: {}\r\n\r\n", host));
    CHECK(client.read_answer().status == 200);
  }
}

TEST_CASE("there are no deployments at first") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/deployments"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("200 OK", R"({"success":true,"data":{"deployments":[],"total_count":0}})"));
  client.send(request("GET", "/api/deployments?limit=0"));
  CHECK(client.read_answer().status == 400);
  client.send(request("GET", "/api/deployments/absent"));
  const Answer absent = client.read_answer();
  CHECK(absent.status == 404);
  CHECK(absent.body.contains(R"("code":"deployment_not_found")"));
  const Answer removed = ask_when_ready(daemon.unix_socket(), request("DELETE", "/api/deployments/absent"));
  CHECK(removed.status == 404);
  CHECK(removed.body.contains(R"("code":"deployment_not_found")"));
}

TEST_CASE("a deployment needs the version of a release") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  const Answer unknown = ask_when_ready(daemon.unix_socket(), request("POST", "/api/deployments", R"({"version":7})"));
  CHECK(unknown.status == 404);
  CHECK(unknown.body.contains(R"("code":"release_not_found")"));
  for (const std::string_view body : {R"({})", R"({"version":"7"})", R"({"version":-1})", R"({"version":1.5})",
                                      R"({"version":7,"x":1})", R"([])", R"({"version":null})"}) {
    CAPTURE(body);
    client.send(request("POST", "/api/deployments", body));
    const Answer answer = client.read_answer();
    CHECK(answer.status == 400);
    CHECK(answer.body.contains(R"("code":"invalid_request")"));
  }
  client.send(request("POST", "/api/deployments"));
  CHECK(client.read_answer().status == 400);
}

TEST_CASE("a plan is of a release, and a deployment of a plan that was shown") {
  RunningDaemon daemon;
  const Answer unknown =
      ask_when_ready(daemon.unix_socket(), request("POST", "/api/deployments/plan", R"({"version":7})"));
  CHECK(unknown.status == 404);
  CHECK(unknown.body.contains(R"("code":"release_not_found")"));
  Client client = daemon.unix_socket();
  for (const std::string_view body : {R"({})", R"({"version":"7"})", R"({"version":7,"retry":true})"}) {
    CAPTURE(body);
    client.send(request("POST", "/api/deployments/plan", body));
    CHECK(client.read_answer().status == 400);
  }
  client.send(request("POST", "/api/deployments", R"({"plan_id":"never shown","accept_flags":["a:b"]})"));
  const Answer forgotten = client.read_answer();
  CHECK(forgotten.status == 409);
  CHECK(forgotten.body.contains(R"("code":"conflict")"));
  CHECK(forgotten.body.contains("out of date"));
}

TEST_CASE("there are no services at first, and Podman is not asked") {
  RunningDaemon daemon;
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/services")).whole() ==
        daemon.answer("200 OK", R"({"success":true,"data":{"services":[],"total_count":0}})"));
}

}  // namespace leger::test
