// The client of Podman's API against the real one, through the user's own socket: part of the check that runs inside
// the Debian 13 host. All names start with `leger-check`, and all of it is gone afterwards.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "quadlets/podman.h"
#include "tests/support.h"

namespace leger::test {
namespace {

std::string user_socket() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  return std::string(folder == nullptr ? "" : folder) + "/podman/podman.sock";
}

struct Client {
  SystemClock clock;
  Loop loop{clock};
  HttpClient http{loop};
  PodmanApi podman{http, user_socket()};

  // What the client itself never does: making things to be removed.
  int post(const std::string& path, const std::string& body) {
    HttpRequest request{.method = "POST",
                        .url = "http://d/v5.0.0/libpod" + path,
                        .unix_socket = user_socket(),
                        .headers = {"Content-Type: application/json"},
                        .body = body};
    return run(loop, http.send(std::move(request))).value().status;
  }
  int status_of(const std::string& path) {
    HttpRequest request{.url = "http://d/v5.0.0/libpod" + path, .unix_socket = user_socket()};
    return run(loop, http.send(std::move(request))).value().status;
  }
  std::optional<PodmanSecret> secret(const std::string& name) {
    auto all = run(loop, podman.secrets()).value();
    for (PodmanSecret& secret : all) {
      if (secret.name == name) return std::move(secret);
    }
    return std::nullopt;
  }
};

TEST_CASE("Podman: a secret is made with labels, replaced under a new id, and removed") {
  Client client;
  REQUIRE(run(client.loop, client.podman.ping()).has_value());
  const std::string name = "leger-check:a.b_c";
  const std::map<std::string, std::string> labels = {{"leger.user", "0b0b-\"1\" & ä"}, {"leger.version", "7"}};
  REQUIRE(run(client.loop, client.podman.put_secret(name, Secret("one"), labels)).has_value());
  const auto first = client.secret(name);
  REQUIRE(first.has_value());
  CHECK(first->labels == labels);
  REQUIRE(run(client.loop, client.podman.put_secret(name, Secret(std::string(511'999, 'x')), labels)).has_value());
  CHECK(client.secret(name)->id != first->id);
  REQUIRE(run(client.loop, client.podman.remove_secret(name)).has_value());
  CHECK_FALSE(client.secret(name).has_value());
  CHECK(run(client.loop, client.podman.remove_secret(name)).has_value());
}

TEST_CASE("Podman: what it refuses is an error that does not repeat the value") {
  Client client;
  const auto bad_name = run(client.loop, client.podman.put_secret("leger-check/x", Secret("canary-7f3a"), {}));
  REQUIRE_FALSE(bad_name.has_value());
  CHECK(bad_name.error().message.find("canary") == std::string::npos);
  CHECK_FALSE(run(client.loop, client.podman.put_secret("leger-check", Secret(""), {})).has_value());
  CHECK_FALSE(
      run(client.loop, client.podman.put_secret("leger-check", Secret(std::string(512'001, 'x')), {})).has_value());
}

TEST_CASE("Podman: the beginning of an id or of a name removes nothing") {
  Client client;
  REQUIRE(run(client.loop, client.podman.put_secret("leger-check", Secret("one"), {})).has_value());
  const std::string id = client.secret("leger-check")->id;
  CHECK(run(client.loop, client.podman.remove_secret(id.substr(0, 8))).has_value());
  CHECK(client.secret("leger-check").has_value());
  CHECK(run(client.loop, client.podman.remove_secret("leger-check")).has_value());
  REQUIRE(client.post("/volumes/create", R"({"Name":"leger-check2"})") == 201);
  CHECK(run(client.loop, client.podman.remove_volume("leger-check")).has_value());
  CHECK(client.status_of("/volumes/leger-check2/json") == 200);
  CHECK(run(client.loop, client.podman.remove_volume("leger-check2")).has_value());
  CHECK(client.status_of("/volumes/leger-check2/json") == 404);
  REQUIRE(client.post("/networks/create", R"({"name":"leger-check"})") == 200);
  CHECK(run(client.loop, client.podman.remove_network("leger-check")).has_value());
  CHECK(client.status_of("/networks/leger-check/json") == 404);
  CHECK(run(client.loop, client.podman.remove_network("leger-check")).has_value());
}

TEST_CASE("Podman: networks and volumes are listed with the time when they were made") {
  Client client;
  const std::int64_t now = client.clock.wall_seconds();
  REQUIRE(client.post("/volumes/create", R"({"Name":"leger-check"})") == 201);
  REQUIRE(client.post("/networks/create", R"({"name":"leger-check"})") == 200);
  for (const auto& list :
       {run(client.loop, client.podman.list_volumes()), run(client.loop, client.podman.list_networks())}) {
    REQUIRE(list.has_value());
    const auto made = std::ranges::find(*list, "leger-check", &PodmanObject::name);
    REQUIRE(made != list->end());
    REQUIRE(made->made_at.has_value());
    CHECK(*made->made_at - now >= 0);
    CHECK(*made->made_at - now <= 60);
  }
  CHECK(run(client.loop, client.podman.remove_volume("leger-check")).has_value());
  CHECK(run(client.loop, client.podman.remove_network("leger-check")).has_value());
}

TEST_CASE("Podman: its list of containers can be read") {
  Client client;
  const auto containers = run(client.loop, client.podman.containers());
  REQUIRE(containers.has_value());
  for (const PodmanContainer& container : *containers) {
    MESSAGE(container.name << " " << container.state << " " << container.health.value_or("-") << " "
                           << (container.ports.empty() ? "-" : container.ports.front()) << " " << container.unit);
    CHECK(container.id.size() == 64);
  }
}

}  // namespace
}  // namespace leger::test
