// Uploads and releases on the running daemon.

#include <doctest/doctest.h>

#include <filesystem>
#include <format>

#include "backend/crypto/seal.h"
#include "tests/daemon/running_daemon.h"
#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

std::string bundle(std::string_view greeting = "hello") {
  const std::vector<std::string> files{"hello.container", "conf/hello.conf"};
  return gzip(tar_file("manifest.json", manifest_for(files)) +
              tar_file("hello.container", "[Container]\nImage=localhost/hello:latest\n") +
              tar_file("conf/hello.conf", "greeting=" + std::string(greeting) + "\n") + tar_end());
}

std::string upload(std::string_view bytes, std::string_view lines = {}) {
  return request("POST", "/api/releases", bytes, "Content-Type: application/gzip\r\n" + std::string(lines));
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

// The value of a text field in an answer.
std::string field_of(const Answer& answer, std::string_view name) {
  const std::string key = std::format("\"{}\":\"", name);
  const std::size_t from = answer.body.find(key) + key.size();
  return answer.body.substr(from, answer.body.find('"', from) - from);
}

std::size_t files_below(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    count += entry.is_regular_file() ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a bundle becomes a release, and the same bytes do not become another") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  const std::string bytes = bundle();
  client.send(upload(bytes));
  const Answer made = client.read_answer();
  const std::string path = field_of(made, "r2_path");
  CHECK(path.ends_with("/v1.tar.gz"));
  const std::string data = std::format(
      R"({{"success":true,"data":{{"version":1,"deployment_name":"hello","bundle_size_bytes":{0},"size":{0},)"
      R"("sha256":"{1}","r2_path":"{2}","created_at":"{3}"}}}})",
      bytes.size(), sha256_of(bytes), path, daemon.now());
  CHECK(made.whole() == daemon.answer("201 Created", data));
  CHECK(read_file(daemon.config().state_dir + "/releases/" + path) == bytes);
  client.send(upload(bytes));
  CHECK(client.read_answer().whole() == daemon.answer("200 OK", data));
  client.send(upload(bundle("other")));
  CHECK(client.read_answer().body.contains(R"("version":2)"));
}

TEST_CASE("releases are listed and shown") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/releases"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("200 OK", R"({"success":true,"data":{"releases":[],"total_count":0}})"));
  client.send(request("GET", "/api/releases/latest"));
  CHECK(client.read_answer().status == 404);
  const std::string bytes = bundle();
  client.send(upload(bytes));
  const std::string path = field_of(client.read_answer(), "r2_path");
  const std::string now = daemon.now();
  client.send(request("GET", "/api/releases"));
  CHECK(client.read_answer().whole() ==
        daemon.answer("200 OK",
                      std::format(R"({{"success":true,"data":{{"releases":[{{"version":1,"deployment_name":"hello",)"
                                  R"("bundle_size_bytes":{},"file_count":2,"sha256":"{}","created_at":"{}"}}],)"
                                  R"("total_count":1}}}})",
                                  bytes.size(), sha256_of(bytes), now)));
  const std::string shown = daemon.answer(
      "200 OK",
      std::format(
          R"({{"success":true,"data":{{"version":1,"deployment_name":"hello","r2_path":"{}",)"
          R"("bundle_size_bytes":{},"sha256":"{}","created_at":"{}","files":["hello.container","conf/hello.conf"],)"
          R"("services":["hello"],"secrets_required":["test_key"]}}}})",
          path, bytes.size(), sha256_of(bytes), now));
  for (const std::string_view target : {"/api/releases/latest", "/api/releases/1", "/api/releases/latest?name=hello"}) {
    CAPTURE(target);
    client.send(request("GET", target));
    CHECK(client.read_answer().whole() == shown);
  }
  for (const std::string_view target : {"/api/releases/2", "/api/releases/0", "/api/releases/x", "/api/releases/-1",
                                        "/api/releases/latest?name=other", "/api/releases/18446744073709551616"}) {
    CAPTURE(target);
    client.send(request("GET", target));
    const Answer absent = client.read_answer();
    CHECK(absent.status == 404);
    CHECK(absent.body.contains(R"("code":"release_not_found")"));
  }
}

TEST_CASE("the list of releases is bounded, newest first, and goes on before a version") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  for (const std::string_view greeting : {"a", "b", "c"}) {
    client.send(upload(bundle(greeting)));
    CHECK(client.read_answer().status == 201);
  }
  const auto versions = [&client](std::string_view query) {
    client.send(request("GET", "/api/releases?" + std::string(query)));
    const std::string body = client.read_answer().body;
    std::string found;
    for (std::size_t at = body.find(R"("version":)"); at != std::string::npos;
         at = body.find(R"("version":)", at + 1)) {
      found += body[at + 10];
    }
    return found;
  };
  CHECK(versions("") == "321");
  CHECK(versions("limit=2") == "32");
  CHECK(versions("before=3&limit=1") == "2");
  CHECK(versions("name=hello") == "321");
  CHECK(versions("name=other") == "");
  for (const std::string_view query : {"limit=0", "limit=1001", "before=0", "before=x"}) {
    client.send(request("GET", "/api/releases?" + std::string(query)));
    CHECK(client.read_answer().status == 400);
  }
}

TEST_CASE("what is no bundle is refused and leaves nothing") {
  RunningDaemon daemon;
  const std::string whole = bundle();
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 0x10;
  for (const std::string& bytes : {std::string("garbage"), whole.substr(0, whole.size() / 2), whole + "x", flipped,
                                   gzip("no tar"), gzip(tar_file("../evil", "x") + tar_end())}) {
    const Answer answer = ask(daemon.unix_socket(), upload(bytes));
    CHECK(answer.status == 400);
    CHECK(answer.body.contains(R"("code":"invalid_bundle")"));
  }
  const Answer empty = ask(daemon.unix_socket(),
                           "POST /api/releases HTTP/1.1\r\nHost: h\r\nContent-Type: application/gzip\r\n"
                           "Content-Length: 0\r\n\r\n");
  CHECK(empty.status == 400);
  CHECK(empty.body.contains(R"("code":"invalid_bundle")"));
  CHECK(files_below(daemon.config().state_dir + "/releases") == 0);
}

TEST_CASE("a bundle of another type is refused before it is read") {
  RunningDaemon daemon;
  for (const std::string_view type :
       {"application/json", "application/octet-stream", "application/x-gzip", "text/plain"}) {
    CAPTURE(type);
    CHECK(
        ask(daemon.unix_socket(), request("POST", "/api/releases", bundle(), std::format("Content-Type: {}\r\n", type)))
            .whole() == daemon.answer("415 Unsupported Media Type",
                                      R"({"success":false,"error":{"code":"unsupported_media_type",)"
                                      R"("message":"The body of this request has Content-Type application/gzip."}})",
                                      "Connection: close\r\n"));
  }
  CHECK(ask(daemon.unix_socket(), request("POST", "/api/releases")).status == 415);
}

TEST_CASE("a bundle must have the checksum that was announced") {
  RunningDaemon daemon;
  const std::string bytes = bundle();
  const auto with_sum = [&](std::string_view sum) {
    return ask(daemon.unix_socket(), upload(bytes, std::format("Content-SHA256: {}\r\n", sum)));
  };
  const Answer wrong = with_sum(sha256_of("other"));
  CHECK(wrong.status == 400);
  CHECK(wrong.body.contains(R"("code":"invalid_bundle")"));
  CHECK(with_sum("").status == 400);
  CHECK(with_sum(sha256_of(bytes)).status == 201);
}

TEST_CASE("an upload that breaks off leaves nothing") {
  RunningDaemon daemon;
  const std::string whole = upload(bundle());
  {
    Client client = daemon.unix_socket();
    client.send(whole.substr(0, whole.size() - 10));
    daemon.settle();
    CHECK(client.is_quiet());
  }
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/releases")).body.contains(R"("total_count":0)"));
  const std::string folder = daemon.config().state_dir + "/releases";
  CHECK(comes_true([&folder] { return files_below(folder) == 0; }));  // its file is the pool's
}

TEST_CASE("a chunked upload is the same release") {
  RunningDaemon daemon;
  const std::string bytes = bundle();
  std::string text =
      "POST /api/releases HTTP/1.1\r\nHost: h\r\nContent-Type: application/gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < bytes.size(); at += 100) text += chunk(std::string_view(bytes).substr(at, 100));
  const Answer answer = ask(daemon.unix_socket(), text + "0\r\n\r\n");
  CHECK(answer.status == 201);
  CHECK(answer.body.contains(sha256_of(bytes)));
}

TEST_CASE("one file of a bundle is shown as text") {
  RunningDaemon daemon;
  CHECK(ask(daemon.unix_socket(), upload(bundle())).status == 201);
  const auto show = [&daemon](std::string_view path) {
    return ask(daemon.unix_socket(), request("GET", "/api/releases/1/files/" + std::string(path)));
  };
  const Answer conf = show("conf/hello.conf");
  CHECK(conf.status == 200);
  CHECK(conf.has("Content-Type: text/plain; charset=utf-8"));
  CHECK(conf.has("X-Content-Type-Options: nosniff"));
  CHECK(conf.body == "greeting=hello\n");
  CHECK(show("%63onf/hello.conf").body == conf.body);
  CHECK(show("manifest.json").body.contains("hello.container"));
  for (const std::string_view path : {"", "conf", "conf/", "/conf/hello.conf", "conf//hello.conf", "conf/hello.conf/",
                                      "CONF/hello.conf", "absent", "conf/hello.conf%0a", "%3c"}) {
    CAPTURE(path);
    const Answer absent = show(path);
    CHECK(absent.status == 404);
    CHECK(absent.body.contains(R"("code":"not_found")"));
    CHECK(absent.body.contains(R"("details":{"files":["hello.container","conf/hello.conf"]})"));
  }
  for (const std::string_view path :
       {"../v1.tar.gz", "conf/../hello.container", "%2e%2e/x", "conf%2fhello.conf", "a%00b"}) {
    CAPTURE(path);
    CHECK(show(path).status == 400);
  }
  const Answer other = ask(daemon.unix_socket(), request("GET", "/api/releases/2/files/hello.container"));
  CHECK(other.body.contains(R"("code":"release_not_found")"));
}

TEST_CASE("a file that is no text is refused") {
  RunningDaemon daemon;
  CHECK(ask(daemon.unix_socket(), upload(bundle("\xff"))).status == 201);
  const Answer answer = ask(daemon.unix_socket(), request("GET", "/api/releases/1/files/conf/hello.conf"));
  CHECK(answer.status == 400);
  CHECK(answer.body.contains(R"("code":"invalid_request")"));
  CHECK(answer.body.contains("leger releases download 1"));
}

TEST_CASE("a release is deleted once, and its number never comes again") {
  RunningDaemon daemon;
  CHECK(ask(daemon.unix_socket(), upload(bundle("a"))).status == 201);
  CHECK(ask(daemon.unix_socket(), upload(bundle("b"))).status == 201);
  const auto remove = [&daemon](std::string_view version) {
    return ask(daemon.unix_socket(), request("DELETE", "/api/releases/" + std::string(version)));
  };
  CHECK(remove("2").whole() == daemon.answer("200 OK", R"({"success":true,"data":{"version":2,"deleted":true}})"));
  for (const std::string_view version : {"2", "0", "x", "latest", "18446744073709551616"}) {
    CAPTURE(version);
    const Answer absent = remove(version);
    CHECK(absent.status == 404);
    CHECK(absent.body.contains(R"("code":"release_not_found")"));
  }
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/releases/latest")).body.contains(R"("version":1)"));
  CHECK(ask(daemon.unix_socket(), upload(bundle("b"))).body.contains(R"("version":3)"));
  const Answer audit = ask(daemon.unix_socket(), request("GET", "/api/audit"));
  CHECK(audit.body.contains(R"("action":"release.delete","object":"hello","version":2)"));
  CHECK(audit.body.contains(R"("action":"release.add","object":"hello","version":3)"));
}

TEST_CASE("only as many releases of an app are kept as the configuration says") {
  RunningDaemon daemon({.change = [](Config& config) { config.keep_releases = 2; }});
  for (const std::string_view greeting : {"a", "b", "c"}) {
    CHECK(ask(daemon.unix_socket(), upload(bundle(greeting))).status == 201);
  }
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/releases")).body.contains(R"("total_count":2)"));
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/releases/1")).status == 404);
}

}  // namespace leger::test
