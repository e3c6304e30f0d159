// The page over HTTP: what a browser gets at each path, and what it may do with it.

#include <doctest/doctest.h>

#include <string>

#include "daemon/page.h"
#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

// The first address below /assets/ that the page names.
std::string first_asset() {
  const std::string_view index = page_index().bytes;
  const std::size_t begin = index.find("/assets/");
  REQUIRE(begin != std::string_view::npos);
  return std::string(index.substr(begin, index.find_first_of("\"?", begin) - begin));
}

}  // namespace

TEST_CASE("every path of the page gives its index, the root leads to the keys") {
  RunningDaemon daemon;
  for (const std::string_view path :
       {"/login", "/auth/callback?state=x", "/api-keys", "/releases/3", "/anything/else"}) {
    CAPTURE(path);
    const Answer answer = ask(daemon.tcp(), request("GET", path));
    CHECK(answer.status == 200);
    CHECK(answer.body == page_index().bytes);
    CHECK(answer.has("Cache-Control: no-cache"));
    CHECK(answer.has("Content-Type: text/html; charset=utf-8"));
  }
  const Answer root = ask(daemon.tcp(), request("GET", "/"));
  CHECK(root.status == 302);
  CHECK(root.has("Location: /api-keys"));
}

TEST_CASE("a page says what it may load, and that nothing may frame it") {
  RunningDaemon daemon;
  const Answer answer = ask(daemon.tcp(), request("GET", "/login"));
  CHECK(answer.has("X-Frame-Options: DENY"));
  CHECK(answer.has("X-Content-Type-Options: nosniff"));
  CHECK(answer.has("Referrer-Policy: no-referrer"));
  CHECK(answer.has("Cross-Origin-Opener-Policy: same-origin"));
  CHECK(answer.head.contains("frame-ancestors 'none'"));
  CHECK(answer.head.contains("script-src 'self';"));
  CHECK(answer.head.contains("require-trusted-types-for 'script'"));
  CHECK_FALSE(answer.head.contains("unsafe"));
  CHECK_FALSE(answer.head.contains("Access-Control"));
}

TEST_CASE("assets may be kept, and are sent again only when they are other ones") {
  RunningDaemon daemon;
  const std::string path = first_asset();
  const PageFile* file = page_file(path);
  REQUIRE(file != nullptr);
  const Answer answer = ask(daemon.tcp(), request("GET", path));
  CHECK(answer.status == 200);
  CHECK(answer.body == file->bytes);
  CHECK(answer.has("Cache-Control: no-cache"));
  const std::string versioned = path + "?v=" + std::string(page_version());
  CHECK(ask(daemon.tcp(), request("GET", versioned)).has("Cache-Control: public, max-age=31536000, immutable"));
  CHECK(ask(daemon.tcp(), request("GET", path + "?v=old")).has("Cache-Control: no-cache"));
  const std::string etag(file->etag);
  CHECK(answer.has("ETag: " + etag));
  Client client = daemon.tcp();
  client.send(request("GET", path, {}, "If-None-Match: " + etag + "\r\n"));
  const Answer same = client.read_answer(Client::Body::none);
  CHECK(same.status == 304);
  CHECK_FALSE(same.head.contains("Content-Length"));
  client.send(request("GET", "/health"));
  CHECK(client.read_answer().status == 200);
  CHECK(ask(daemon.tcp(), request("HEAD", path)).has("Content-Length: " + std::to_string(file->bytes.size())));
  CHECK(ask(daemon.tcp(), request("GET", "/assets/absent.js")).status == 404);
}

}  // namespace leger::test
