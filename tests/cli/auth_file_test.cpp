// The file with the sign-ins: what it must be, what is refused, and that it changes as a whole.

#include "cli/auth_file.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/sign_in_harness.h"

namespace leger {
namespace {

using test::in_days;
using test::kToken;
using test::kUuid;
using test::mode_of;
using test::SignInHarness;
using test::stored;

constexpr const char* kUrl = "https://atlas.example";
constexpr const char* kOther = "https://other.example";

StoredAuth auth_for(int days, const std::string& token = kToken) {
  return {.token = Secret(token),
          .expires_s = SystemClock().wall_seconds() + days * 86'400,
          .user_uuid = kUuid,
          .user_email = "alice@example.com"};
}

std::string token_of(const AuthFile& file, const std::string& url) {
  const StoredAuth* auth = file.find(url);
  return auth == nullptr ? "none" : std::string(auth->token.reveal());
}

TEST_CASE("a sign-in is written with the seed's five fields at the top and below its server") {
  SignInHarness harness;
  REQUIRE(store_auth(harness.io, kUrl, auth_for(30)).has_value());
  const Json file = harness.auth();
  for (const Json& fields : {file, file["servers"][kUrl]}) {
    CHECK(fields["token"] == kToken);
    CHECK(fields["token_type"] == "Bearer");
    CHECK(fields["expires_at"] == in_days(30));
    CHECK(fields["user_uuid"] == kUuid);
    CHECK(fields["user_email"] == "alice@example.com");
  }
  CHECK(file["server"] == kUrl);
  CHECK(file["servers"].size() == 1);
}

TEST_CASE("the file is 0600 and its folders 0700 whatever the umask") {
  SignInHarness harness;
  const mode_t before = umask(0);
  const auto done = store_auth(harness.io, kUrl, auth_for(30));
  umask(before);
  REQUIRE(done.has_value());
  CHECK(mode_of(harness.auth_path) == 0600);
  CHECK(mode_of(harness.folder / ".config/leger") == 0700);
  CHECK(mode_of(harness.folder / ".config") == 0700);
}

TEST_CASE("XDG_CONFIG_HOME says where the file is, a relative one does not count") {
  Io io;
  CHECK_FALSE(auth_path(io).has_value());
  io.environment["HOME"] = "/home/alice";
  CHECK(auth_path(io) == "/home/alice/.config/leger/auth.json");
  io.environment["XDG_CONFIG_HOME"] = "elsewhere";
  CHECK(auth_path(io) == "/home/alice/.config/leger/auth.json");
  io.environment["XDG_CONFIG_HOME"] = "/etc/alice";
  CHECK(auth_path(io) == "/etc/alice/leger/auth.json");
}

TEST_CASE("the server signed in to last is at the top, and the others stay") {
  SignInHarness harness;
  REQUIRE(store_auth(harness.io, kUrl, auth_for(30, "first")).has_value());
  REQUIRE(store_auth(harness.io, kOther, auth_for(20, "second")).has_value());
  CHECK(harness.auth()["server"] == kOther);
  CHECK(harness.auth()["token"] == "second");
  const auto file = load_auth(harness.io);
  REQUIRE(file.has_value());
  CHECK(token_of(*file, kUrl) == "first");
  CHECK(token_of(*file, kOther) == "second");
  CHECK(token_of(*file, "https://third.example") == "none");
}

TEST_CASE(
    "forgetting the last server puts the one that is good for longest at the top, forgetting all removes the file") {
  SignInHarness harness;
  REQUIRE(store_auth(harness.io, kUrl, auth_for(10, "short")).has_value());
  REQUIRE(store_auth(harness.io, "https://long.example", auth_for(20, "long")).has_value());
  REQUIRE(store_auth(harness.io, kOther, auth_for(30)).has_value());
  REQUIRE(forget_auth(harness.io, {kOther}).has_value());
  CHECK(harness.auth()["server"] == "https://long.example");
  CHECK(harness.auth()["token"] == "long");
  CHECK(harness.auth()["servers"].size() == 2);
  REQUIRE(forget_auth(harness.io, {kUrl}).has_value());
  CHECK(harness.auth()["server"] == "https://long.example");
  REQUIRE(forget_auth(harness.io, {"https://long.example"}).has_value());
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
  CHECK(forget_auth(harness.io, {kUrl}).has_value());
}

TEST_CASE("what a person changes at the top counts") {
  SignInHarness harness;
  Json file = stored(in_days(-1));
  file["server"] = kUrl;
  file["servers"][kUrl] = stored(in_days(30));
  harness.write_auth(file.dump());
  const auto token = stored_token(harness.io, kUrl);
  REQUIRE(!token);
  CHECK(token.error().message == "Token expired");
  CHECK(token.error().action == "Re-authenticate with: leger auth login");
}

TEST_CASE("a file of another client, which names no server, is no sign-in for any") {
  SignInHarness harness;
  harness.write_auth(stored().dump());
  const auto file = load_auth(harness.io);
  REQUIRE(file.has_value());
  CHECK(file->servers().empty());
  CHECK(file->last_server().empty());
}

TEST_CASE("times of expiry are read in every form of RFC 3339") {
  struct Line {
    const char* text;
    std::int64_t seconds;
  };
  for (const Line& line : std::vector<Line>{{"2026-11-22T04:05:06Z", 1'795'320'306},
                                            {"2026-11-22T04:05:06.123456789Z", 1'795'320'306},
                                            {"2026-11-22T06:05:06.5+02:00", 1'795'320'306},
                                            {"2026-11-22T03:35:06-00:30", 1'795'320'306}}) {
    CAPTURE(line.text);
    Json file;
    file["servers"][kUrl] = stored(line.text);
    const auto parsed = AuthFile::parse(file.dump());
    REQUIRE(parsed.has_value());
    CHECK(parsed->find(kUrl)->expires_s == line.seconds);
  }
}

TEST_CASE("a corrupt file is refused with the command that replaces it, and never shown") {
  const auto with = [](const char* field, const Json& value) {
    Json file = stored();
    file["server"] = kUrl;
    file["servers"][kUrl] = stored();
    file["servers"][kUrl][field] = value;
    return file.dump();
  };
  Json without_top{{"server", kUrl}, {"servers", Json::object()}};
  const std::vector<std::string> texts{"",
                                       "CANARY",
                                       "[]",
                                       R"({"servers":[]})",
                                       R"({"servers":{"https://a":7}})",
                                       R"({"a":1,"a":2})",
                                       without_top.dump(),
                                       with("token", 7),
                                       with("token", ""),
                                       with("token", "a\r\nX-Evil: 1"),
                                       with("token", std::string(4097, 'x')),
                                       with("token_type", "Basic"),
                                       with("expires_at", "soon"),
                                       with("expires_at", "2026-11-22T04:05:06"),
                                       with("expires_at", "2026-11-22T04:05:06+2:00"),
                                       with("user_uuid", nullptr),
                                       with("user_email", 7),
                                       std::string((1 << 20) + 1, ' ')};
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 300));
    SignInHarness harness;
    harness.write_auth(text);
    const auto ran = harness.run_there({"status"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.starts_with("The file \"" + harness.auth_path + "\" is corrupt: "));
    CHECK(ran.err.ends_with(".\n\nSign in again, which replaces it:\n  leger auth login\n"));
    CHECK(harness.server.seen().empty());
    REQUIRE(store_auth(harness.io, kUrl, auth_for(30)).has_value());
    CHECK(harness.auth()["token"] == kToken);
  }
}

TEST_CASE("a file that is open to others is refused with the command that closes it, by sign-in and logout too") {
  for (const unsigned mode : {0640U, 0604U, 0620U, 0610U, 0601U, 0644U}) {
    CAPTURE(mode);
    SignInHarness harness;
    harness.write_sign_ins({harness.server.url()});
    REQUIRE(chmod(harness.auth_path.c_str(), mode) == 0);
    const std::string before = harness.auth_text();
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"status"}, {"auth", "login"}, {"auth", "status"}, {"auth", "logout"}, {"login"}, {"open"}}) {
      CAPTURE(command.back());
      const auto ran = harness.run_there(command);
      CHECK(ran.exit == 1);
      CHECK(ran.err == "The file \"" + harness.auth_path + "\" can be read by others.\n\nClose it:\n  chmod 600 " +
                           harness.auth_path + "\n");
    }
    CHECK(harness.server.seen().empty());
    CHECK(harness.auth_text() == before);
    CHECK(mode_of(harness.auth_path) == mode);
  }
}

TEST_CASE("a link, a folder and a pipe in the file's place are refused, and a pipe holds nobody up") {
  for (const std::string_view kind : {"link", "folder", "pipe"}) {
    CAPTURE(kind);
    SignInHarness harness;
    harness.write_sign_ins({harness.server.url()});
    const std::string elsewhere = harness.folder / "elsewhere";
    std::filesystem::rename(harness.auth_path, elsewhere);
    if (kind == "link") std::filesystem::create_symlink(elsewhere, harness.auth_path);
    if (kind == "folder") std::filesystem::create_directory(harness.auth_path);
    if (kind == "pipe") REQUIRE(mkfifo(harness.auth_path.c_str(), 0600) == 0);
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"status"}, {"auth", "login"}}) {
      const auto ran = harness.run_there(command);
      CHECK(ran.exit == 1);
      CHECK(ran.err == "The file \"" + harness.auth_path + "\" is not a regular file.\n\nPut it aside:\n  mv " +
                           harness.auth_path + " " + harness.auth_path + ".old\n");
    }
    CHECK(harness.server.seen().empty());
  }
}

TEST_CASE("a path that the shell would split is quoted in the advice") {
  SignInHarness harness;
  harness.io.environment["XDG_CONFIG_HOME"] = harness.folder / "it's here";
  harness.auth_path = harness.folder / "it's here/leger/auth.json";
  std::filesystem::create_directories(harness.folder / "it's here/leger");
  harness.write_auth("{}", 0644);
  CHECK(harness.run_there({"status"})
            .err.ends_with("chmod 600 '" + (harness.folder / "it'\\''s here/leger/auth.json'\n")));
}

TEST_CASE("a file that cannot be replaced stays as it is, with nothing beside it") {
  SignInHarness harness;
  harness.write_sign_ins({kUrl});
  const std::string before = harness.auth_text();
  // What a crash left is taken away; what cannot be taken away ends the attempt.
  std::filesystem::create_directory(harness.auth_path + ".new");
  const auto failed = store_auth(harness.io, kOther, auth_for(30));
  REQUIRE(!failed);
  CHECK(failed.error().message.contains("auth.json.new"));
  CHECK(harness.auth_text() == before);
  std::filesystem::remove(harness.auth_path + ".new");
  harness.write_file(".config/leger/auth.json.new", "half a fi");
  struct stat old{};
  struct stat fresh{};
  REQUIRE(stat(harness.auth_path.c_str(), &old) == 0);
  REQUIRE(store_auth(harness.io, kOther, auth_for(30)).has_value());
  REQUIRE(stat(harness.auth_path.c_str(), &fresh) == 0);
  CHECK(old.st_ino != fresh.st_ino);  // another file took its place: no reader sees a half one
  CHECK_FALSE(std::filesystem::exists(harness.auth_path + ".new"));
}

TEST_CASE("two that change the file at once take turns, and nobody waits for ever") {
  SignInHarness harness;
  harness.write_sign_ins({kUrl});
  const test::Descriptor folder(open((harness.folder / ".config/leger").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(flock(folder.get(), LOCK_EX) == 0);
  const auto held = store_auth(harness.io, kOther, auth_for(30));
  REQUIRE(!held);
  CHECK(held.error().code == Code::unavailable);
  REQUIRE(flock(folder.get(), LOCK_UN) == 0);
  CHECK(store_auth(harness.io, kOther, auth_for(30)).has_value());
  CHECK(harness.auth()["servers"].size() == 2);
}

}  // namespace
}  // namespace leger
