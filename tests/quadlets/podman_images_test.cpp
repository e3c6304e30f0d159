#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "quadlets/image_names.h"
#include "quadlets/podman.h"
#include "tests/quadlets/socket_server.h"
#include "tests/support.h"

namespace leger::test {
namespace {

using Lines = std::vector<std::string>;

Result<void> ask(const std::string& socket, const std::function<Task<Result<void>>(PodmanApi&)>& call,
                 std::uint64_t silence_ms = 20'000) {
  const SystemClock clock;
  Loop loop(clock);
  HttpClient http(loop);
  PodmanApi podman(http, socket);
  podman.set_pull_silence(silence_ms);
  return run(loop, call(podman));
}

Result<void> pull(const std::string& socket, Lines& said, std::size_t most = 100) {
  return ask(socket, [&](PodmanApi& podman) {
    return podman.pull_image("example.org/a b:1", "missing", [&said, most](std::string line) {
      said.push_back(std::move(line));
      return said.size() < most;
    });
  });
}

SocketServer::Handler always(std::string reply) {
  return [reply = std::move(reply)](const std::string&, const std::string&) { return reply; };
}

}  // namespace

TEST_CASE("a pull tells each line and asks for what it was given") {
  SocketServer server(always(answer(200,
                                    "{\"stream\":\"Trying to pull\\u001b\\n\"}\n{\"stream\":\"Copying blob\"}\n"
                                    "{\"images\":[\"aa\"],\"id\":\"aa\"}\n")));
  Lines said;
  CHECK(pull(server.path(), said));
  CHECK(said == Lines{"Trying to pull\\x1b", "Copying blob"});
  CHECK(server.lines() == Lines{"POST /v5.0.0/libpod/images/pull?reference=example%2Eorg%2Fa%20b%3A1&policy=missing"
                                "&quiet=false"});
}

TEST_CASE("a pull fails with the registry's words, also where Podman answered 200 before") {
  struct Case {
    std::string reply;
    std::string words;
  };
  for (const Case& one : std::vector<Case>{
           {answer(200, "{\"stream\":\"Trying\"}\n{\"error\":\"manifest unknown\"}\n"), "manifest unknown"},
           {answer(200, "{\"error\":\"authentication required\"}"), "authentication required"},
           {answer(500, R"({"message":"no such host"})"), "no such host"},
           {answer(500, "garbage"), "500"},
           {answer(200, "{\"stream\":\"Trying\"}\n"), "ends early"},
           {answer(200, std::string(70'000, 'x')), "ends early"},
           {"", "Timeout"}}) {
    CAPTURE(one.words);
    SocketServer server(always(one.reply));
    const auto failed = ask(
        server.path(), [](PodmanApi& podman) { return podman.pull_image("example.org/a:1", "missing", {}); },
        one.reply.empty() ? 50 : 20'000);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Code::upstream_failed);
    CHECK(failed.error().message.contains("example.org/a:1"));
    CHECK_MESSAGE(failed.error().message.contains(one.words), failed.error().message);
    CHECK(failed.error().action.contains("podman login example.org"));
  }
}

TEST_CASE("a pull ends when its watcher has had enough") {
  SocketServer server(always(answer(200, "{\"stream\":\"one\"}\n{\"stream\":\"two\"}\n{\"id\":\"aa\"}\n")));
  Lines said;
  const auto ended = pull(server.path(), said, 1);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().message.contains("too long"));
}

TEST_CASE("images are named and names taken away") {
  int status = 201;
  SocketServer server([&](const std::string&, const std::string&) { return answer(status, "{}"); });
  const auto tag = [](PodmanApi& podman) { return podman.tag_image("aa11", "localhost:5000/keep:bb"); };
  const auto untag = [](PodmanApi& podman) { return podman.untag_image("localhost/keep"); };
  CHECK(ask(server.path(), tag));
  CHECK(ask(server.path(), untag));
  CHECK(server.lines() == Lines{"POST /v5.0.0/libpod/images/aa11/tag?repo=localhost%3A5000%2Fkeep&tag=bb",
                                "POST /v5.0.0/libpod/images/localhost/keep/untag?repo=localhost%2Fkeep&tag=latest"});
  status = 404;
  CHECK_FALSE(ask(server.path(), tag));
  CHECK(ask(server.path(), untag));
  status = 500;
  CHECK_FALSE(ask(server.path(), untag));
}

TEST_CASE("a name is split where Podman splits it, and one with a digest is nobody else's") {
  CHECK(split_image_name("localhost:5000/a").repository == "localhost:5000/a");
  CHECK(split_image_name("localhost:5000/a").tag == "latest");
  CHECK(split_image_name("docker.io/a/b:1").tag == "1");
  CHECK(split_image_name("docker.io/a@sha256:aa").repository.empty());
  for (const char* full : {"docker.io/a", "localhost/a", "host:1/a"}) CHECK(has_registry(full));
  for (const char* shorter : {"a", "a:1", "library/a"}) CHECK_FALSE(has_registry(shorter));
  const std::vector<PodmanImage> images{{.id = "aa", .names = {"x.y/a:1", "x.y/ab@sha256:1", "x.y/a@sha256:2"}}};
  CHECK(image_digest(images, "aa", "x.y/a:1") == "x.y/a@sha256:2");
  CHECK(image_digest(images, "bb", "x.y/a:1").empty());
}

}  // namespace leger::test
