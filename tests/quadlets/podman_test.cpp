#include "quadlets/podman.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "backend/base/text.h"
#include "quadlets/secret_driver.h"
#include "tests/quadlets/socket_server.h"
#include "tests/support.h"

namespace leger::test {
namespace {

using Labels = std::map<std::string, std::string>;

constexpr const char* kApi = "/v5.0.0/libpod";

// Runs one call of the client against a socket.
template <class T>
Result<T> ask(const std::string& socket, const std::function<Task<Result<T>>(PodmanApi&)>& call,
              std::uint64_t timeout_ms = 20'000) {
  const SystemClock clock;
  Loop loop(clock);
  HttpClient http(loop);
  PodmanApi podman(http, socket, timeout_ms);
  return run(loop, call(podman));
}

Result<void> ping(const std::string& socket, std::uint64_t timeout_ms = 20'000) {
  return ask<void>(socket, [](PodmanApi& podman) { return podman.ping(); }, timeout_ms);
}
Result<std::vector<PodmanSecret>> secrets(const std::string& socket) {
  return ask<std::vector<PodmanSecret>>(socket, [](PodmanApi& podman) { return podman.secrets(); });
}
Result<std::vector<PodmanContainer>> containers(const std::string& socket) {
  return ask<std::vector<PodmanContainer>>(socket, [](PodmanApi& podman) { return podman.containers(); });
}
Result<std::vector<PodmanImage>> images(const std::string& socket) {
  return ask<std::vector<PodmanImage>>(socket, [](PodmanApi& podman) { return podman.images(); });
}
Result<void> put_secret(const std::string& socket, std::string name, std::string value, Labels labels) {
  return ask<void>(socket, [&](PodmanApi& podman) { return podman.put_secret(name, Secret(value), labels); });
}
Result<void> remove_secret(const std::string& socket, const std::string& name) {
  return ask<void>(socket, [&](PodmanApi& podman) { return podman.remove_secret(name); });
}
Result<void> remove_network(const std::string& socket, const std::string& name) {
  return ask<void>(socket, [&](PodmanApi& podman) { return podman.remove_network(name); });
}
Result<void> remove_volume(const std::string& socket, const std::string& name) {
  return ask<void>(socket, [&](PodmanApi& podman) { return podman.remove_volume(name); });
}

// A server that gives the same bytes to every request.
SocketServer::Handler always(std::string reply) {
  return [reply = std::move(reply)](const std::string&, const std::string&) { return reply; };
}

void check_says(const Error& error, std::string_view part) {
  CHECK(name_of(error.code) == "upstream_failed");
  CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
  CHECK_FALSE(error.action.empty());
}

std::string secret_json(const std::string& name, const std::string& labels) {
  return R"({"ID":"0a98","CreatedAt":"2026-11-23T04:34:12Z","Spec":{"Name":")" + name +
         R"(","Driver":{"Name":"file","Options":{}},"Labels":)" + labels + "}}";
}

TEST_CASE("an absent or closed socket is an error that says how to start it") {
  const TemporaryFolder folder;
  const Error absent = ping(folder / "podman.sock").error();
  check_says(absent, "Podman does not answer");
  CHECK(absent.action.find("systemctl --user enable --now podman.socket") != std::string::npos);
  const std::string path = folder / "closed.sock";
  const int closed = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
  REQUIRE(bind(closed, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(closed);
  const Error refused = ping(path).error();
  check_says(refused, "Podman does not answer");
  CHECK(refused.action.find("podman.socket") != std::string::npos);
}

TEST_CASE("a ping is one GET, and a refusal of it an error") {
  const SocketServer good(always(answer(200, "OK")));
  CHECK(ping(good.path()).has_value());
  CHECK(good.lines() == std::vector<std::string>{std::string("GET ") + kApi + "/_ping"});
  const SocketServer bad(always(answer(500, R"({"cause":"x","message":"no \u001b service","response":500})")));
  check_says(ping(bad.path()).error(), "status 500: no \\x1b service");
}

TEST_CASE("a Podman that hangs, breaks off or does not speak HTTP is an error in time") {
  const SocketServer silent(always(""));
  check_says(ping(silent.path(), 200).error(), "Podman does not answer");
  const SocketServer cut(always("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"));
  check_says(ping(cut.path()).error(), "Podman does not answer");
  const SocketServer noise(always("\x01\x02 what?\r\n\r\n"));
  check_says(ping(noise.path()).error(), "Podman does not answer");
}

TEST_CASE("an answer beyond 8 MiB is an error") {
  const SocketServer huge(always(answer(200, "[\"" + std::string(8 << 20, 'x') + "\"]")));
  check_says(secrets(huge.path()).error(), "longer than 8388608 bytes");
}

TEST_CASE("secrets are listed with their labels") {
  const SocketServer server(always(
      answer(200, "[" + secret_json("a", R"({"leger.user":"u","n":1})") + "," + secret_json("b", "null") + "]")));
  const auto list = secrets(server.path());
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 2);
  CHECK(list->at(0).id == "0a98");
  CHECK(list->at(0).name == "a");
  CHECK(list->at(0).labels == Labels{{"leger.user", "u"}});
  CHECK(list->at(1).labels.empty());
  const SocketServer none(always(answer(200, "null")));
  CHECK(secrets(none.path()).value().empty());
}

TEST_CASE("lists that are no lists, or hold what is no secret or container, are errors") {
  for (const char* body : {"", "{", "{}", "7", "[7]", "[{}]", R"([{"ID":"x"}])", R"([{"ID":1,"Spec":{"Name":"a"}}])",
                           R"([{"ID":"x","Spec":[]}])", R"([{"Id":"x","Names":[]}])", R"([{"Id":"x","Names":[1]}])",
                           R"([{"Id":"x","Names":"a"}])", "[\"\xff\"]", "[[[[["}) {
    CAPTURE(body);
    const SocketServer server(always(answer(200, body)));
    check_says(secrets(server.path()).error(), "cannot be understood");
    check_says(containers(server.path()).error(), "cannot be understood");
  }
  for (const char* body : {"", "{}", "[7]", "[{}]", R"([{"Id":7}])"}) {
    CAPTURE(body);
    const SocketServer server(always(answer(200, body)));
    check_says(images(server.path()).error(), "cannot be understood");
  }
  const SocketServer refusing(always(answer(500, "no JSON")));
  check_says(secrets(refusing.path()).error(), "refused to list its secrets with status 500.");
  check_says(containers(refusing.path()).error(), "refused to list its containers with status 500.");
}

TEST_CASE("the health log of a container is what Podman keeps of its checks, in its order") {
  const auto log_of = [](const std::string& socket) {
    return ask<std::vector<HealthProbe>>(socket, [](PodmanApi& podman) { return podman.health_log("c/1"); });
  };
  const SocketServer server(always(answer(200, R"({"State":{"Health":{"Status":"unhealthy","Log":[
      {"Start":"t1","ExitCode":0,"Output":"fine"},{"Start":"t2","ExitCode":1,"Output":"no\n"},{}]}}})")));
  const auto log = log_of(server.path());
  REQUIRE(log);
  CHECK(server.lines().at(0) == std::string("GET ") + kApi + "/containers/c%2F1/json");
  REQUIRE(log->size() == 3);
  CHECK(log->at(0).output == "fine");
  CHECK(log->at(1).started == "t2");
  CHECK(log->at(1).exit_code == 1);
  CHECK(log->at(1).output == "no\n");
  CHECK(log->at(2).exit_code == -1);
  for (const char* body : {"{}", R"({"State":null})", R"({"State":{"Health":{"Log":null}}})", "[]"}) {
    CAPTURE(body);
    const SocketServer without(always(answer(200, body)));
    const auto none = log_of(without.path());
    REQUIRE(none);
    CHECK(none->empty());
  }
  const SocketServer gone(always(answer(404, "{}")));
  CHECK(log_of(gone.path())->empty());
  const SocketServer broken(always(answer(500, "{}")));
  check_says(log_of(broken.path()).error(), "status 500");
}

TEST_CASE("a secret is made as bytes that are no form, with labels as encoded JSON, and read back") {
  std::string body;
  const SocketServer server([&body](const std::string& line, const std::string& sent) {
    if (line.starts_with("POST")) body = sent;
    return line.starts_with("POST") ? answer(200, R"({"ID":"1"})")
                                    : answer(200, secret_json("test_key", R"({"leger.user":"u 1","other":"x"})"));
  });
  const std::string value("\0a=b&c\xff\n", 8);
  REQUIRE(put_secret(server.path(), "test_key", value, {{"leger.user", "u 1"}}).has_value());
  CHECK(server.lines() ==
        std::vector<std::string>{
            std::string("POST ") + kApi +
                "/secrets/create?name=test_key&labels=%7B%22leger%2Euser%22%3A%22u%201%22%7D&replace=true",
            std::string("GET ") + kApi + "/secrets/test_key/json"});
  CHECK(body == value);
  CHECK(server.heads().at(0).find("Content-Type: application/octet-stream") != std::string::npos);
  CHECK(server.heads().at(0).find("form") == std::string::npos);
}

TEST_CASE("where leger keeps the values Podman gets commands for them, after what was there is gone") {
  const Labels labels{{"leger.user", "u"}, {"leger.name", "k"}, {"leger.version", "3"}};
  const SecretKeeper keeper{.program = "/opt/o'leger", .socket = "/run/s"};
  const std::string options = dump(Json(driver_of(keeper, labels).options));
  const std::string made = R"({"ID":"1","Spec":{"Name":"k","Driver":{"Name":"shell","Options":)" + options +
                           R"(},"Labels":{"leger.user":"u","leger.name":"k","leger.version":"3"}}})";
  const SocketServer server([&made](const std::string& line, const std::string&) {
    return line.contains("/secrets/json") ? answer(200, "[" + made + "]") : answer(200, made);
  });
  const SystemClock clock;
  Loop loop(clock);
  HttpClient http(loop);
  PodmanApi podman(http, server.path(), 20'000, keeper);
  CHECK_FALSE(podman.keeps_values());
  REQUIRE(run(loop, podman.put_secret("k", Secret("-"), labels)).has_value());
  REQUIRE(server.lines().size() == 4);
  CHECK(server.lines().at(1) == std::string("DELETE ") + kApi + "/secrets/k");
  CHECK(server.lines().at(2).contains("&driver=shell&driveropts=" + percent_encode(options)));
  CHECK_FALSE(server.lines().at(2).contains("replace"));
  CHECK(driver_of(keeper, labels).options.at("lookup") ==
        R"('/opt/o'\''leger' --socket '/run/s' podman-secret lookup 'u' 'k' '3')");
  CHECK(run(loop, podman.secrets())->front().is_as_put);
  PodmanApi by_itself(http, server.path(), 20'000);
  CHECK(by_itself.keeps_values());
  CHECK_FALSE(run(loop, by_itself.secrets())->front().is_as_put);
  PodmanApi elsewhere(http, server.path(), 20'000, {.program = "/opt/leger", .socket = "/run/s"});
  CHECK_FALSE(run(loop, elsewhere.secrets())->front().is_as_put);
}

TEST_CASE("a secret of the largest size arrives whole") {
  std::size_t size = 0;
  const SocketServer server([&size](const std::string& line, const std::string& sent) {
    if (line.starts_with("POST")) size = sent.size();
    return line.starts_with("POST") ? answer(201, "{}") : answer(200, secret_json("k", "{}"));
  });
  REQUIRE(put_secret(server.path(), "k", std::string(511'999, 'x'), {}).has_value());
  CHECK(size == 511'999);
}

TEST_CASE("a secret whose labels, or which itself, is not there afterwards is an error") {
  const auto afterwards = [](int status, const std::string& body) {
    const SocketServer server([&](const std::string& line, const std::string&) {
      return line.starts_with("POST") ? answer(200, "{}") : answer(status, body);
    });
    const auto result = put_secret(server.path(), "k", "v", {{"leger.user", "u"}});
    REQUIRE_FALSE(result.has_value());
    return result.error();
  };
  check_says(afterwards(200, secret_json("k", "{}")), "did not keep the secret \"k\" with its labels");
  check_says(afterwards(200, secret_json("k", R"({"leger.user":"other"})")), "with its labels");
  check_says(afterwards(200, secret_json("k2", R"({"leger.user":"u"})")), "with its labels");
  check_says(afterwards(404, "{}"), "with its labels");
  check_says(afterwards(500, "{}"), "status 500");
  check_says(afterwards(200, "[]"), "cannot be understood");
}

TEST_CASE("no error repeats a secret's value, even where Podman does") {
  const std::string value = "canary-7f3a";
  for (const int status : {400, 409, 500}) {
    const SocketServer server(
        [&](const std::string&, const std::string& body) { return answer(status, R"({"message":")" + body + "\"}"); });
    const auto result = put_secret(server.path(), "test_key", value, {});
    REQUIRE_FALSE(result.has_value());
    check_says(result.error(), "keep the secret \"test_key\" with status " + std::to_string(status));
    const std::string all = result.error().message + result.error().action + result.error().details;
    CHECK(all.find(value) == std::string::npos);
    CHECK(all.find("canary") == std::string::npos);
  }
}

// What a server that has one object of that name answers; deletions are counted.
struct OneObject {
  std::string shown;  // the JSON of the object that any look-up finds
  int removal = 204;  // the status of a deletion
  int deletions = 0;
  SocketServer server{[this](const std::string& line, const std::string&) {
    if (!line.starts_with("DELETE")) return shown.empty() ? answer(404, "{}") : answer(200, shown);
    ++deletions;
    return answer(removal, R"({"message":"it is being used"})");
  }};
};

TEST_CASE("networks and volumes are listed with the time when they were made") {
  const std::string networks =
      R"([{"name":"podman","id":"2f","driver":"bridge","created":"2026-11-26T10:31:40.9+01:00"},)"
      R"({"name":"odd","created":"yesterday"}])";
  const std::string volumes = R"([{"Name":"data","Driver":"local","CreatedAt":"2026-11-26T09:31:40.123456789Z"}])";
  SocketServer server([&](const std::string& line, const std::string&) {
    return answer(200, line.contains("/networks/") ? networks : volumes);
  });
  using Objects = std::vector<PodmanObject>;
  const auto nets = ask<Objects>(server.path(), [](PodmanApi& podman) { return podman.list_networks(); });
  REQUIRE(nets.has_value());
  REQUIRE(nets->size() == 2);
  CHECK(nets->at(0).name == "podman");
  CHECK(nets->at(0).made_at == 1'795'685'500);
  CHECK_FALSE(nets->at(1).made_at.has_value());
  const auto vols = ask<Objects>(server.path(), [](PodmanApi& podman) { return podman.list_volumes(); });
  REQUIRE(vols.has_value());
  REQUIRE(vols->size() == 1);
  CHECK(vols->at(0).name == "data");
  CHECK(vols->at(0).made_at == nets->at(0).made_at);
  CHECK(server.lines() == std::vector<std::string>{std::string("GET ") + kApi + "/networks/json",
                                                   std::string("GET ") + kApi + "/volumes/json"});
  const SocketServer nameless(always(answer(200, R"([{"Name":"n"}])")));
  const auto garbled = ask<Objects>(nameless.path(), [](PodmanApi& podman) { return podman.list_networks(); });
  REQUIRE_FALSE(garbled.has_value());
  check_says(garbled.error(), "list of networks");
}

TEST_CASE("what is there by exactly its name is removed") {
  OneObject secret{.shown = secret_json("abcde", "{}")};
  CHECK(remove_secret(secret.server.path(), "abcde").has_value());
  CHECK(secret.server.lines().back() == std::string("DELETE ") + kApi + "/secrets/abcde");
  OneObject network{.shown = R"({"name":"net","id":"1"})", .removal = 200};
  CHECK(remove_network(network.server.path(), "net").has_value());
  CHECK(network.server.lines().back() == std::string("DELETE ") + kApi + "/networks/net");
  OneObject volume{.shown = R"({"Name":"data"})"};
  CHECK(remove_volume(volume.server.path(), "data").has_value());
  CHECK(volume.server.lines().back() == std::string("DELETE ") + kApi + "/volumes/data");
  CHECK(secret.deletions + network.deletions + volume.deletions == 3);
}

TEST_CASE("an object that Podman finds by a part of its name or id is left alone") {
  OneObject secret{.shown = secret_json("other", "{}")};
  CHECK(remove_secret(secret.server.path(), "0a98a").has_value());
  OneObject volume{.shown = R"({"Name":"data2"})"};
  CHECK(remove_volume(volume.server.path(), "data").has_value());
  OneObject network{.shown = R"({"name":"other","id":"abc"})"};
  CHECK(remove_network(network.server.path(), "abc").has_value());
  CHECK(secret.deletions + network.deletions + volume.deletions == 0);
}

TEST_CASE("an absent one is no error, also where it goes away in between; one in use is") {
  OneObject absent{.shown = {}};
  CHECK(remove_secret(absent.server.path(), "a").has_value());
  CHECK(remove_network(absent.server.path(), "a").has_value());
  CHECK(remove_volume(absent.server.path(), "a").has_value());
  CHECK(absent.deletions == 0);
  OneObject gone{.shown = R"({"Name":"a"})", .removal = 404};
  CHECK(remove_volume(gone.server.path(), "a").has_value());
  for (const int status : {409, 500}) {
    OneObject used{.shown = R"({"Name":"a"})", .removal = status};
    check_says(remove_volume(used.server.path(), "a").error(), "it is being used");
  }
}

TEST_CASE("a name cannot change the address that is asked") {
  OneObject absent{.shown = {}};
  CHECK(remove_volume(absent.server.path(), "../secrets/a?x=1#y%2f z\n").has_value());
  CHECK(absent.server.lines().at(0) ==
        std::string("GET ") + kApi + "/volumes/%2E%2E%2Fsecrets%2Fa%3Fx%3D1%23y%252f%20z%0A/json");
}

TEST_CASE("images are listed with all their names") {
  const SocketServer server(always(answer(200, R"([
    {"Id":"a1","RepoTags":["localhost/web:1","localhost/web:2",7],"RepoDigests":["localhost/web@sha256:d"]},
    {"Id":"b2","RepoTags":null,"RepoDigests":[]},{"Id":"c3"}])")));
  const auto list = images(server.path());
  REQUIRE(list.has_value());
  CHECK(server.lines() == std::vector<std::string>{std::string("GET ") + kApi + "/images/json"});
  REQUIRE(list->size() == 3);
  CHECK(list->at(0).id == "a1");
  CHECK(list->at(0).names == std::vector<std::string>{"localhost/web:1", "localhost/web:2", "localhost/web@sha256:d"});
  CHECK(list->at(1).names.empty());
  CHECK(list->at(2).id == "c3");
}

TEST_CASE("containers are listed with unit, health and ports, stopped ones too") {
  const SocketServer server(always(answer(200, R"([
    {"Id":"b9","Names":["c1"],"Image":"localhost/t:latest","State":"running","Status":"healthy",
     "Labels":{"PODMAN_SYSTEMD_UNIT":"c1.service"},
     "Ports":[{"host_ip":"127.0.0.1","container_port":80,"host_port":8080,"range":1,"protocol":"tcp"},
              {"host_ip":"","container_port":9000,"host_port":9000,"range":3,"protocol":"udp"},
              {"host_ip":"::1","container_port":1,"host_port":65535},
              {"host_ip":"","container_port":0,"host_port":65536},{"host_port":"x"},7]},
    {"Id":"ee","Names":["c2"],"Image":"i","State":"exited","Status":"","Labels":null,"Ports":null,
     "Pod":"5a","PodName":"systemd-p"},
    {"Id":"ff","Names":["c3"],"State":"running","Status":"Up 3 minutes"}])")));
  const auto list = containers(server.path());
  REQUIRE(list.has_value());
  CHECK(server.lines() == std::vector<std::string>{std::string("GET ") + kApi + "/containers/json?all=true&pod=true"});
  REQUIRE(list->size() == 3);
  const PodmanContainer& first = list->at(0);
  CHECK(first.id == "b9");
  CHECK(first.name == "c1");
  CHECK(first.image == "localhost/t:latest");
  CHECK(first.state == "running");
  CHECK(first.unit == "c1.service");
  CHECK(first.health == std::optional<std::string>("healthy"));
  CHECK(first.ports ==
        std::vector<std::string>{"127.0.0.1:8080->80/tcp", "0.0.0.0:9000-9002->9000-9002/udp", "[::1]:65535->1/tcp"});
  CHECK(list->at(1).unit.empty());
  CHECK_FALSE(list->at(1).health.has_value());
  CHECK(list->at(1).pod == "systemd-p");
  CHECK(list->at(1).pod_id == "5a");
  CHECK(first.pod.empty());
  CHECK(first.pod_id.empty());
  CHECK_FALSE(list->at(2).health.has_value());
}

}  // namespace
}  // namespace leger::test
