// Stored bundles: read, deleted, dropped, collected, and the link to the newest.

#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "tests/backend/service/release_host.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::at_socket;
using test::bundle;
using test::random_bytes;
using test::ReleaseHost;
using test::run;
using test::sending;

class Keeping : public ReleaseHost {
 public:
  using ReleaseHost::ReleaseHost;

  Release add(const std::string& content) {
    const auto added = upload(sending({bundle(content)}));
    REQUIRE(added);
    return added->release;
  }
  std::string file(std::uint64_t version) const { return store.user + "/v" + std::to_string(version) + ".tar.gz"; }
  std::string path(const std::string& name) const { return dir + "/" + store.user + "/" + name; }
  Result<BundlePart> read(const Release& release, std::uint64_t offset, std::uint64_t length) {
    return run(store.loop, service->read(release, offset, length));
  }
  Result<std::string> text(const Release& release, const std::string& name) {
    return run(store.loop, service->read_text(release, name));
  }
};

// A bundle that is larger than what comes as bytes.
std::string large_bundle() {
  return test::gzip(test::tar_file("manifest.json", test::manifest_for({"a.conf"})) +
                        test::tar_file("a.conf", random_bytes(200'000)) + test::tar_end(),
                    test::Level::stored);
}

}  // namespace

TEST_CASE("Few bytes of a bundle come as bytes, many as an open file that outlives the release") {
  Keeping host;
  const std::string bytes = large_bundle();
  const auto added = host.upload(sending({bytes}));
  REQUIRE(added);
  const auto few = host.read(added->release, 100, ReleaseService::kFewBytes);
  REQUIRE(few);
  CHECK(few->bytes == bytes.substr(100, ReleaseService::kFewBytes));
  CHECK_FALSE(few->file);
  const auto many = host.read(added->release, 0, bytes.size());
  REQUIRE(many);
  CHECK(many->bytes.empty());
  REQUIRE(many->file);
  REQUIRE(host.remove(1));
  CHECK(host.files().empty());
  std::string kept(bytes.size(), '\0');
  REQUIRE(pread(many->file.get(), kept.data(), kept.size(), 0) == static_cast<ssize_t>(bytes.size()));
  CHECK(kept == bytes);
}

TEST_CASE("A release that was deleted after the look at its row is an absent one, and no damaged one") {
  Keeping host;
  const Release release = host.add("1");
  REQUIRE(host.remove(1));
  CHECK(host.read(release, 0, 10).error().code == Code::release_not_found);
  CHECK(host.text(release, "web.container").error().code == Code::release_not_found);
}

TEST_CASE("A bundle that is not what the store says is an error, never a short answer") {
  Keeping host;
  const Release release = host.add("1");
  const std::string path = host.service->path_of(release);
  SUBCASE("gone") { fs::remove(path); }
  SUBCASE("shorter") { fs::resize_file(path, release.bundle_size_bytes - 1); }
  SUBCASE("longer") { fs::resize_file(path, release.bundle_size_bytes + 1); }
  SUBCASE("a link") {
    fs::rename(path, path + ".real");
    fs::create_symlink(path + ".real", path);
  }
  SUBCASE("a folder") {
    fs::remove(path);
    fs::create_directory(path);
  }
  const auto refused = host.read(release, 0, release.bundle_size_bytes);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::internal_error);
  CHECK(refused.error().message.contains(host.file(1)));
  CHECK_FALSE(refused.error().message.contains(host.dir));
  CHECK(host.text(release, "web.container").error().code == Code::internal_error);
}

TEST_CASE("A file of a bundle is read as text by its exact path") {
  Keeping host;
  const Release release = host.add("1");
  CHECK(host.text(release, "web.container") == "[Container]\nImage=localhost/web:1\n");
  CHECK(host.text(release, "manifest.json")->contains("\"shop\""));
  for (const std::string name : {"", ".", "..", "/web.container", "./web.container", "web.container/", "WEB.container",
                                 "../v1.tar.gz", "web.container\n", "web"}) {
    CAPTURE(name);
    const auto absent = host.text(release, name);
    REQUIRE_FALSE(absent);
    CHECK(absent.error().code == Code::not_found);
    CHECK(absent.error().details == R"({"files":["web.container"]})");
  }
  const auto binary = host.upload(sending({large_bundle()}));
  REQUIRE(binary);
  const auto refused = host.text(binary->release, "a.conf");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_request);
  CHECK(refused.error().action.contains("leger releases download 2"));
}

TEST_CASE("A deletion removes the file and is on record, as an upload is") {
  Keeping host;
  host.add("1");
  host.add("2");
  REQUIRE(host.remove(1));
  CHECK(host.files() == std::set<std::string>{host.file(2)});
  CHECK(host.remove(1).error().code == Code::release_not_found);
  const auto entries = host.audit.entries();
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].record.action == "release.delete");
  CHECK(entries[0].record.version == 1U);
  CHECK(entries[0].record.actor == host.store.user);
  CHECK(entries[1].record.action == "release.add");
  CHECK(entries[1].record.object == "shop");
  CHECK(entries[1].record.version == 2U);
}

TEST_CASE("A deletion that is refused leaves the file") {
  Keeping host;
  host.add("1");
  host.store.execute(
      "INSERT INTO deployments (id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, "
      "journal, live) SELECT 'd', user_uuid, 'shop', 1, 'install', 'deployed', '', '', '', '', '', 1 FROM releases");
  const auto refused = host.remove(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(host.files() == std::set<std::string>{host.file(1)});
  CHECK(host.link() == "v1.tar.gz");
}

TEST_CASE("What an upload drops loses its file after its row") {
  Keeping host(2);
  for (const char* content : {"1", "2", "3", "4"}) host.add(content);
  CHECK(host.files() == std::set<std::string>{host.file(3), host.file(4)});
  CHECK(host.service->count(host.store.user, {}) == 2U);
}

TEST_CASE("latest.tar.gz points to the newest release, whatever comes and goes") {
  Keeping host;
  CHECK(host.link().empty());
  host.add("1");
  CHECK(host.link() == "v1.tar.gz");
  host.add("2");
  host.add("3");
  CHECK(host.link() == "v3.tar.gz");
  CHECK(test::read_file(host.path("latest.tar.gz")) == bundle("3"));
  REQUIRE(host.remove(3));
  CHECK(host.link() == "v2.tar.gz");
  REQUIRE(host.remove(1));
  CHECK(host.link() == "v2.tar.gz");
  REQUIRE(host.remove(2));
  CHECK_FALSE(fs::exists(fs::symlink_status(host.path("latest.tar.gz"))));
}

TEST_CASE("A latest.tar.gz that cannot be switched fails no upload and no start") {
  Keeping host;
  host.add("1");
  fs::remove(host.path("latest.tar.gz"));
  fs::create_directories(host.path("latest.tar.gz/in the way"));
  CHECK(host.add("2").version == 2);
  CHECK(fs::is_directory(host.path("latest.tar.gz")));
  CHECK(host.files() == std::set<std::string>{host.file(1), host.file(2)});
  CHECK(host.service->prepare());
}

TEST_CASE("A start removes bundles without a row, and nothing that is not ours") {
  Keeping host;
  host.add("1");
  host.add("2");
  const std::set<std::string> others{"v0.tar.gz", "v01.tar.gz", "v3.tar.gz.bak", "x3.tar.gz", "v3.tar", "v.tar.gz"};
  for (const std::string& name : others) test::write_file(host.path(name), "not a bundle's name");
  for (const std::string name : {"v3.tar.gz", "v18446744073709551615.tar.gz", ".latest-1"}) {
    test::write_file(host.path(name), "left");
  }
  fs::create_directory(host.dir + "/nobody");
  test::write_file(host.dir + "/nobody/v1.tar.gz", "left");
  test::write_file(host.dir + "/.incoming-1", "left");
  test::write_file(host.dir + "/v9.tar.gz", "not in a user's folder");
  REQUIRE(host.service->prepare());
  std::set<std::string> expected{host.file(1), host.file(2), "v9.tar.gz"};
  for (const std::string& name : others) expected.insert(host.store.user + "/" + name);
  CHECK(host.files() == expected);
}

TEST_CASE("A start leaves the row of a missing bundle, and mends latest.tar.gz") {
  Keeping host;
  host.add("1");
  host.add("2");
  fs::remove(host.path("v1.tar.gz"));
  const std::string link = host.path("latest.tar.gz");
  SUBCASE("gone") { fs::remove(link); }
  SUBCASE("an older one") {
    fs::remove(link);
    fs::create_symlink("v1.tar.gz", link);
  }
  SUBCASE("a copy") {
    fs::remove(link);
    test::write_file(link, "a copy");
  }
  REQUIRE(host.service->prepare());
  CHECK(host.link() == "v2.tar.gz");
  CHECK(host.service->count(host.store.user, {}) == 2U);
  CHECK(host.add("3").version == 3);
}

TEST_CASE("A start whose bundles are all gone goes on, and the next upload too") {
  Keeping host;
  host.add("1");
  fs::remove_all(host.dir);
  bool is_in_the_way = false;
  SUBCASE("the folder too") {}
  SUBCASE("and a file is in the way") { is_in_the_way = true; }
  if (is_in_the_way) {
    fs::create_directory(host.dir);
    test::write_file(host.dir + "/" + host.store.user, "in the way");
  }
  REQUIRE(host.service->prepare());
  if (is_in_the_way) fs::remove(host.dir + "/" + host.store.user);
  CHECK(host.add("2").version == 2);
  CHECK(host.files() == std::set<std::string>{host.file(2)});
}

TEST_CASE("Uploads and deletions at once leave the link at the newest and a file for each row") {
  Keeping host(3);
  struct Ignore {
    static Task<void> outcome(Task<Result<AddOutcome>> upload) { REQUIRE(co_await upload); }
    static Task<void> removal(Task<Result<void>> removal) { REQUIRE(co_await removal); }
  };
  host.add("0");
  const auto failed = [](std::exception_ptr) { FAIL("threw"); };
  for (int i = 1; i <= 30; ++i) {
    host.store.loop.spawn(
        Ignore::outcome(host.service->upload(at_socket(host.store.user), sending({bundle(std::to_string(i))}), {})),
        failed);
  }
  host.store.loop.run_until_idle();
  CHECK(host.link() == "v31.tar.gz");
  CHECK(host.files() == std::set<std::string>{host.file(29), host.file(30), host.file(31)});
  for (const std::uint64_t version : {31, 29}) {
    host.store.loop.spawn(Ignore::removal(host.service->remove(at_socket(host.store.user), version)), failed);
  }
  host.store.loop.run_until_idle();
  CHECK(host.link() == "v30.tar.gz");
  CHECK(host.files() == std::set<std::string>{host.file(30)});
}

}  // namespace leger
