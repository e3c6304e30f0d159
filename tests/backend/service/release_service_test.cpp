#include "backend/service/release_service.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "backend/crypto/seal.h"
#include "tests/backend/service/host.h"
#include "tests/backend/service/store.h"
#include "tests/quadlets/archives.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::make_bundle;
using test::run;
using test::TemporaryFolder;

// Bytes that are sent in parts, and an end that may be an error.
struct Upload {
  std::vector<std::string> parts;
  std::optional<Error> error_at_end;
  std::size_t next = 0;
};

Task<Result<std::string>> next_part(std::shared_ptr<Upload> upload) {
  if (upload->next < upload->parts.size()) co_return upload->parts[upload->next++];
  if (upload->error_at_end) co_return Fail(*upload->error_at_end);
  co_return std::string();
}

ReleaseService::NextPart sending(std::vector<std::string> parts, std::optional<Error> error = {}) {
  auto upload = std::make_shared<Upload>(Upload{std::move(parts), std::move(error), 0});
  return [upload] { return next_part(upload); };
}

std::string bundle(const std::string& content = "1") {
  return make_bundle("shop", {{"web.container", "[Container]\nImage=localhost/web:" + content + "\n"}}, {"token"});
}

std::string sha256_of(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(42);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class Fixture {
 public:
  Fixture() : store(folder_.path()), dir(folder_ / "state/releases") {
    service = std::make_unique<ReleaseService>(store.loop, *store.release_rows, dir);
    REQUIRE(service->prepare());
  }

  Result<AddOutcome> upload(ReleaseService::NextPart next, std::optional<std::string> sha256 = {}) {
    return run(store.loop, service->upload(store.user, std::move(next), std::move(sha256)));
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
      if (entry.is_regular_file()) names.insert(entry.path().lexically_relative(dir).string());
    }
    return names;
  }
  void check_nothing() {
    CHECK(files().empty());
    CHECK(service->count(store.user, {}) == 0U);
  }

 private:
  TemporaryFolder folder_;

 public:
  test::Store store;
  std::string dir;
  std::unique_ptr<ReleaseService> service;
};

// No file of this process may grow beyond `bytes`: a disk that is full for the bundle, and not for the database.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

// The file is placed, and then the transaction fails, as on a disk that is full.
class FailingReleases final : public Releases {
 public:
  explicit FailingReleases(std::function<void(const Release&)> after_placing) : after_(std::move(after_placing)) {}
  Result<std::vector<Release>> list(const ReleaseQuery&) override { return std::vector<Release>(); }
  Result<std::uint64_t> count(const std::string&, const std::string&) override { return 0; }
  Result<Release> get(const std::string&, std::uint64_t) override {
    return Fail({Code::release_not_found, "", {}, {}});
  }
  Result<Release> latest(const std::string&, const std::string&) override {
    return Fail({Code::release_not_found, "", {}, {}});
  }
  Task<Result<AddOutcome>> add(Release release, std::function<Result<void>(const Release&)> place) override {
    release.version = 1;
    release.r2_path = release.user_uuid + "/v1.tar.gz";
    const auto placed = place(release);
    REQUIRE(placed);
    after_(release);
    co_return Fail({Code::insufficient_storage, "the disk is full", {}, {}});
  }

 private:
  std::function<void(const Release&)> after_;
};

}  // namespace

TEST_CASE("An upload in parts becomes a numbered release with a file of exactly its bytes") {
  Fixture fixture;
  const std::string bytes = bundle();
  std::vector<std::string> parts;
  for (const char byte : bytes) parts.emplace_back(1, byte);
  const auto added = fixture.upload(sending(parts), sha256_of(bytes));
  REQUIRE(added);
  CHECK(added->created);
  const Release& release = added->release;
  CHECK(release.version == 1);
  CHECK(release.deployment_name == "shop");
  CHECK(release.sha256 == sha256_of(bytes));
  CHECK(release.bundle_size_bytes == bytes.size());
  CHECK(release.files == std::vector<std::string>{"web.container"});
  CHECK(release.secrets_required == std::vector<std::string>{"token"});
  CHECK(release.r2_path == fixture.store.user + "/v1.tar.gz");
  CHECK(test::read_file(fixture.service->path_of(release)) == bytes);
  CHECK((fs::status(fixture.service->path_of(release)).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(fixture.files() == std::set<std::string>{release.r2_path});
  CHECK(fixture.service->get(fixture.store.user, 1)->sha256 == release.sha256);
  CHECK(fixture.service->get("bob", 1).error().code == Code::release_not_found);
}

TEST_CASE("The same bytes again are the same release; others are a new one") {
  Fixture fixture;
  REQUIRE(fixture.upload(sending({bundle("1")})));
  const auto again = fixture.upload(sending({bundle("1")}));
  REQUIRE(again);
  CHECK_FALSE(again->created);
  CHECK(again->release.version == 1);
  CHECK(fixture.files().size() == 1);
  const auto other = fixture.upload(sending({bundle("2")}));
  REQUIRE(other);
  CHECK(other->created);
  CHECK(other->release.version == 2);
  const auto back = fixture.upload(sending({bundle("1")}));
  REQUIRE(back);
  CHECK(back->release.version == 3);
  CHECK(fixture.files().size() == 3);
  CHECK(fixture.service->latest(fixture.store.user, "shop")->version == 3);
}

TEST_CASE("An upload that breaks off after any part leaves neither file nor row") {
  Fixture fixture;
  const std::string bytes = bundle();
  for (std::size_t parts = 0; parts < 4; ++parts) {
    std::vector<std::string> some;
    some.reserve(parts);
    for (std::size_t i = 0; i < parts; ++i) some.push_back(bytes.substr(i * 10, 10));
    const auto broken = fixture.upload(sending(some, Error{Code::request_timeout, "too slow", {}, {}}));
    REQUIRE_FALSE(broken);
    CHECK(broken.error().code == Code::request_timeout);
    fixture.check_nothing();
  }
}

TEST_CASE("What is no bundle, is cut short or is not what was announced leaves neither file nor row") {
  Fixture fixture;
  const std::string bytes = bundle();
  Code code = Code::invalid_bundle;
  std::vector<std::string> parts;
  std::optional<std::string> sha256;
  SUBCASE("nothing") {}
  SUBCASE("no gzip") { parts = {"hello"}; }
  SUBCASE("cut short") { parts = {bytes.substr(0, bytes.size() / 2)}; }
  SUBCASE("bytes after it") { parts = {bytes, "x"}; }
  SUBCASE("another hash") {
    parts = {bytes};
    sha256 = sha256_of("other");
  }
  SUBCASE("too large") {
    parts.assign(17, random_bytes(1 << 20));
    code = Code::bundle_too_large;
  }
  const auto refused = fixture.upload(sending(parts), sha256);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == code);
  fixture.check_nothing();
}

TEST_CASE("A disk that is full in the middle of an upload leaves neither file nor row") {
  Fixture fixture;
  const std::string block = random_bytes(1 << 20);
  {
    const SmallDisk small(1536 << 10);
    const auto full = fixture.upload(sending({block, block, block}));
    REQUIRE_FALSE(full);
    CHECK(full.error().message.contains("cannot store the bundle"));
  }
  fixture.check_nothing();
  CHECK(fixture.upload(sending({bundle()})));
}

TEST_CASE("A bundle that cannot be put in its place leaves neither file nor row, and its number is not lost") {
  Fixture fixture;
  // A file stands where the account's folder would be: that refuses root as well.
  test::write_file(fixture.dir + "/" + fixture.store.user, "in the way");
  const auto refused = fixture.upload(sending({bundle()}));
  REQUIRE_FALSE(refused);
  CHECK(fixture.files() == std::set<std::string>{fixture.store.user});
  CHECK(fixture.service->count(fixture.store.user, {}) == 0U);
  fs::remove(fixture.dir + "/" + fixture.store.user);
  const auto added = fixture.upload(sending({bundle()}));
  REQUIRE(added);
  CHECK(added->release.version == 1);
}

TEST_CASE("A transaction that fails after the file was placed leaves no file, and never takes another upload's") {
  Fixture fixture;
  bool has_other = false;
  SUBCASE("nobody else came") {}
  SUBCASE("another upload has got the number, and put its own file there") { has_other = true; }
  FailingReleases rows([&](const Release& release) {
    if (!has_other) return;
    test::write_file(fixture.dir + "/other", "other");
    fs::rename(fixture.dir + "/other", fixture.dir + "/" + release.r2_path);
  });
  ReleaseService service(fixture.store.loop, rows, fixture.dir);
  const auto refused = run(fixture.store.loop, service.upload("u", sending({bundle()}), {}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::insufficient_storage);
  CHECK(fixture.files() == (has_other ? std::set<std::string>{"u/v1.tar.gz"} : std::set<std::string>()));
}

TEST_CASE("A releases folder that is gone fails the upload and says where") {
  Fixture fixture;
  fs::remove_all(fixture.dir);
  const auto refused = fixture.upload(sending({bundle()}));
  REQUIRE_FALSE(refused);
  CHECK(fixture.service->count(fixture.store.user, {}) == 0U);
}

TEST_CASE("A hundred uploads at once get a hundred numbers and each its own file") {
  Fixture fixture;
  std::vector<Result<AddOutcome>> outcomes(100);
  struct Keep {
    static Task<void> into(Task<Result<AddOutcome>> upload, Result<AddOutcome>& to) { to = co_await upload; }
  };
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    auto upload = fixture.service->upload(fixture.store.user, sending({bundle(std::to_string(i))}), {});
    fixture.store.loop.spawn(Keep::into(std::move(upload), outcomes[i]),
                             [](std::exception_ptr) { FAIL("an upload threw"); });
  }
  fixture.store.loop.run_until_idle();
  std::set<std::uint64_t> versions;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    REQUIRE(outcomes[i]);
    versions.insert(outcomes[i]->release.version);
    CHECK(test::read_file(fixture.service->path_of(outcomes[i]->release)) == bundle(std::to_string(i)));
  }
  CHECK(versions.size() == 100);
  CHECK(*versions.rbegin() == 100);
  CHECK(fixture.files().size() == 100);
}

TEST_CASE("What interrupted uploads left is removed at the next start, and nothing else") {
  Fixture fixture;
  REQUIRE(fixture.upload(sending({bundle()})));
  test::write_file(fixture.dir + "/.incoming-1", "left");
  test::write_file(fixture.dir + "/.incoming-2", "left");
  test::write_file(fixture.dir + "/other", "not ours to remove");
  REQUIRE(fixture.service->prepare());
  CHECK(fixture.files() == std::set<std::string>{"other", fixture.store.user + "/v1.tar.gz"});
}

TEST_CASE("A releases folder that cannot be made is an error") {
  Fixture fixture;
  ReleaseService nowhere(fixture.store.loop, *fixture.store.release_rows, fixture.dir + "/absent/releases");
  CHECK_FALSE(nowhere.prepare());
}

}  // namespace leger
