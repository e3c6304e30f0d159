// Bundles that are fetched back from the running daemon, whole, in part, slowly and after their release is gone.

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <string>
#include <string_view>
#include <vector>

#include "backend/crypto/seal.h"
#include "tests/daemon/running_daemon.h"
#include "tests/daemon/tailnet_daemon.h"
#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"
#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kStall = 30'000;
constexpr std::uint64_t kTidied = 20;  // ms after which another file of a deleted release is gone

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string small_bundle() {
  const std::vector<std::string> files{"hello.container", "conf/hello.conf"};
  return gzip(tar_file("manifest.json", manifest_for(files)) +
              tar_file("hello.container", "[Container]\nImage=localhost/hello:latest\n") +
              tar_file("conf/hello.conf", "greeting=☃\n") + tar_end());
}

// Nearly as large as a bundle may be; stored, so that it takes no time to make.
std::string large_bundle() {
  const std::vector<std::string> files{"a.bin", "b.bin", "c.bin", "d.bin"};
  std::string tarred = tar_file("manifest.json", manifest_for(files));
  std::string content(4 * kMiB - 64 * 1024, '\0');
  std::uint32_t state = 1;
  for (const std::string& file : files) {
    for (char& byte : content) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    tarred += tar_file(file, content);
  }
  return gzip(tarred + tar_end(), Level::stored);
}

// A daemon that has one release of these bytes.
struct Downloads {
  explicit Downloads(std::string bundle, const DaemonSettings& settings = {})
      : daemon(settings), bytes(std::move(bundle)), tag("\"" + sha256_of(bytes) + "\"") {
    const Answer made =
        ask(daemon.unix_socket(), request("POST", "/api/releases", bytes, "Content-Type: application/gzip\r\n"));
    REQUIRE(made.status == 201);
  }
  Answer get(std::string_view lines, std::string_view target = "/api/releases/1/download") const {
    return ask(daemon.unix_socket(), request("GET", target, {}, lines));
  }
  // What the head of an answer with the bundle, or a part of it, has to be.
  std::string head(std::string_view status, std::size_t length, std::string_view lines = {}) const {
    return std::format(
        "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: application/gzip\r\nContent-Length: {}\r\n{}ETag: {}\r\n"
        "Vary: Accept\r\nAccept-Ranges: bytes\r\nContent-Disposition: attachment; filename=\"hello-v1.tar.gz\"\r\n"
        "{}\r\n",
        status, http_date(FakeClock().wall_seconds()), length, kDataHeaders, tag, lines);
  }
  std::string path() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon.config().state_dir + "/releases")) {
      if (entry.is_regular_file() && !entry.is_symlink()) return entry.path().string();
    }
    return {};
  }

  RunningDaemon daemon;
  std::string bytes;
  std::string tag;
};

// A header line with a token of the host itself, for its TCP doors.
std::string signed_in(const RunningDaemon& daemon) {
  const std::string challenge = std::format(R"({{"challenge":"{}"}})", kChallenge);
  const Json issued = TailnetDaemon::data_of(ask(daemon.unix_socket(), request("POST", "/api/auth/code", challenge)));
  const Json exchange{{"code", issued.at("code")}, {"verifier", kVerifier}};
  const Answer answer = ask(daemon.unix_socket(), request("POST", "/api/auth/exchange", exchange.dump()));
  return bearer(TailnetDaemon::data_of(answer).at("token").get<std::string>());
}

}  // namespace

TEST_CASE("a bundle comes back with the bytes that were uploaded, by every path to it") {
  const Downloads downloads(small_bundle());
  for (const std::string_view target :
       {"/api/releases/1/download", "/api/releases/latest/download", "/api/releases/latest/download?name=hello"}) {
    CAPTURE(target);
    const Answer answer = downloads.get({}, target);
    CHECK(answer.head == downloads.head("200 OK", downloads.bytes.size()));
    CHECK(answer.body == downloads.bytes);
    const Answer head = ask(downloads.daemon.unix_socket(), request("HEAD", target));
    CHECK(head.whole() == answer.head);
  }
  for (const std::string_view target : {"/api/releases/1", "/api/releases/latest", "/api/releases/latest?name=hello"}) {
    CAPTURE(target);
    for (const std::string_view accept :
         {"application/gzip", "text/html, Application/GZIP;q=0.5", "application/gzip ; q=1"}) {
      CHECK(downloads.get(std::format("Accept: {}\r\n", accept), target).body == downloads.bytes);
    }
    for (const std::string_view accept : {"application/json", "*/*", "application/*", "application/gzip;q=0",
                                          "application/gzip;q=0.000", "application/gzip, application/json"}) {
      CHECK(downloads.get(std::format("Accept: {}\r\n", accept), target).has("Content-Type: application/json"));
    }
  }
  for (const std::string_view target :
       {"/api/releases/2/download", "/api/releases/x/download", "/api/releases/latest/download?name=other"}) {
    CHECK(downloads.get({}, target).body.contains(R"("code":"release_not_found")"));
  }
}

TEST_CASE("a part of a bundle comes as that part, small or large") {
  std::string bundle;
  SUBCASE("small") { bundle = small_bundle(); }
  SUBCASE("large") { bundle = large_bundle(); }
  const Downloads downloads(std::move(bundle));
  const std::size_t size = downloads.bytes.size();
  struct Part {
    std::string range;
    std::size_t first;
    std::size_t length;
  };
  for (const Part& part : {Part{"0-0", 0, 1}, Part{"10-", 10, size - 10}, Part{"-7", size - 7, 7},
                           Part{std::format("{}-{}", size - 1, size + 5), size - 1, 1},
                           Part{std::format("1-{}", size - 2), 1, size - 2}}) {
    CAPTURE(part.range);
    const Answer answer = downloads.get("Range: bytes=" + part.range + "\r\n");
    CHECK(answer.head == downloads.head("206 Partial Content", part.length,
                                        std::format("Content-Range: bytes {}-{}/{}\r\n", part.first,
                                                    part.first + part.length - 1, size)));
    CHECK(answer.body == downloads.bytes.substr(part.first, part.length));
  }
  CHECK(downloads.get("Range: bytes=0-1,3-4\r\n").whole() == downloads.head("200 OK", size) + downloads.bytes);
  CHECK(downloads.get("Range: bytes=0-1\r\nIf-Range: \"x\"\r\n").status == 200);
  CHECK(downloads.get("Range: bytes=0-1\r\nIf-Range: " + downloads.tag + "\r\n").status == 206);
  const Answer beyond = downloads.get(std::format("Range: bytes={}-\r\n", size));
  CHECK(beyond.status == 416);
  CHECK(beyond.has(std::format("Content-Range: bytes */{}", size)));
  CHECK(beyond.body.contains(R"("code":"range_not_satisfiable")"));
}

TEST_CASE("who has the bundle already gets no body, and the connection goes on") {
  const Downloads downloads(small_bundle());
  Client client = downloads.daemon.unix_socket();
  client.send(request("GET", "/api/releases/1/download", {}, "If-None-Match: " + downloads.tag + "\r\n"));
  const Answer answer = client.read_answer(Client::Body::none);
  CHECK(answer.status == 304);
  CHECK(answer.has("ETag: " + downloads.tag));
  CHECK_FALSE(answer.head.contains("\nContent-Length"));
  CHECK_FALSE(answer.head.contains("\nContent-Type"));
  client.send(request("GET", "/api/releases/1/download", {}, "If-None-Match: \"other\"\r\n"));
  CHECK(client.read_answer().body == downloads.bytes);
}

TEST_CASE("requests that follow a large download on its connection are answered in their order") {
  const Downloads downloads(large_bundle());
  Client client = downloads.daemon.tcp();
  const std::string who = signed_in(downloads.daemon);
  const std::string get = request("GET", "/api/releases/1/download", {}, who);
  client.send(get + request("HEAD", "/api/releases/1/download", {}, who) + get +
              request("GET", "/api/absent", {}, who));
  CHECK(client.read_answer().body == downloads.bytes);
  CHECK(client.read_answer(Client::Body::none).status == 200);
  CHECK(client.read_answer().body == downloads.bytes);
  CHECK(client.read_answer().status == 404);
}

TEST_CASE("a bundle that is not what was uploaded is an error and never a short answer") {
  const Downloads downloads(small_bundle());
  std::string_view target = "/api/releases/1/download";
  SUBCASE("shorter") { std::filesystem::resize_file(downloads.path(), downloads.bytes.size() - 1); }
  SUBCASE("gone") { std::filesystem::remove(downloads.path()); }
  SUBCASE("gone, one file of it") {
    std::filesystem::remove(downloads.path());
    target = "/api/releases/1/files/hello.container";
  }
  const Answer answer = downloads.get({}, target);
  CHECK(answer.status == 500);
  CHECK(answer.body.contains(R"("code":"internal_error")"));
}

TEST_CASE("a download that runs slowly while its release is deleted is got whole") {
  Downloads downloads(large_bundle());
  Client client = downloads.daemon.unix_socket();
  client.send(request("GET", "/api/releases/1/download"));
  std::string text = client.read(kMiB);
  CHECK(ask(downloads.daemon.unix_socket(), request("DELETE", "/api/releases/1")).status == 200);
  downloads.daemon.advance(kTidied);
  CHECK(comes_true([&] { return downloads.path().empty(); }));
  const std::size_t whole = text.find("\r\n\r\n") + 4 + downloads.bytes.size();
  while (text.size() < whole) {
    downloads.daemon.advance(kStall - kTidied - 1);
    text += client.read(std::min(2 * kMiB, whole - text.size()));
  }
  CHECK(text.ends_with(downloads.bytes));
  CHECK(downloads.get({}).status == 404);
}

TEST_CASE("the same over TLS") {
  Downloads downloads(large_bundle(), with_tls());
  TlsClient client(downloads.daemon.tcp());
  REQUIRE(client.shake_hands());
  client.send(request("GET", "/api/releases/1/download", {}, signed_in(downloads.daemon)));
  std::string text = client.read(kMiB);
  CHECK(ask(downloads.daemon.unix_socket(), request("DELETE", "/api/releases/1")).status == 200);
  downloads.daemon.advance(kTidied);
  const std::size_t whole = text.find("\r\n\r\n") + 4 + downloads.bytes.size();
  while (text.size() < whole) text += client.read(std::min(4 * kMiB, whole - text.size()));
  CHECK(text.ends_with(downloads.bytes));
}

TEST_CASE("a client that does not read its download costs no memory and is cut off") {
  Downloads downloads(large_bundle());
  const std::size_t before = resident_bytes(getpid());
  std::vector<Client> stuck;
  for (int i = 0; i < 8; ++i) {
    stuck.push_back(downloads.daemon.unix_socket());
    stuck.back().send(request("GET", "/api/releases/1/download"));
    CHECK(stuck.back().read(100).size() == 100);
  }
  CHECK(downloads.get("Range: bytes=0-9\r\n").status == 206);
  CHECK(resident_bytes(getpid()) < before + 8 * kMiB + kSanitizerBytes);  // their answers have 128 MB
  downloads.daemon.advance(kStall - 1);
  for (const Client& client : stuck) CHECK_FALSE(client.is_cut());
  for (Client& client : stuck) {
    CHECK(comes_true([&] {
      downloads.daemon.advance(kStall);
      return client.is_cut();
    }));
    CHECK(client.read_to_end().size() < kMiB);
  }
}

TEST_CASE("a client that goes away in the middle of its download disturbs nobody") {
  const Downloads downloads(large_bundle());
  for (int i = 0; i < 5; ++i) {
    Client client = downloads.daemon.unix_socket();
    client.send(request("GET", "/api/releases/1/download"));
    CHECK(client.read(100).size() == 100);
  }
  CHECK(downloads.get({}).body == downloads.bytes);
}

TEST_CASE("a download that runs while the daemon ends is got whole") {
  Downloads downloads(large_bundle());
  Client client = downloads.daemon.unix_socket();
  client.send(request("GET", "/api/releases/1/download"));
  std::string text = client.read(100);
  downloads.daemon.begin_stop();
  text += client.read_to_end();
  CHECK(text.ends_with(downloads.bytes));
}

}  // namespace leger::test
