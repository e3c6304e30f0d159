#include "backend/service/release_service.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <set>
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
using test::sha256_of;

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
  Result<std::vector<std::string>> paths() override { return std::vector<std::string>(); }
  Task<Result<AddOutcome>> add(AddRelease add) override {
    Release release = std::move(add.release);
    release.version = 1;
    release.r2_path = release.user_uuid + "/v1.tar.gz";
    const auto placed = add.place(release);
    REQUIRE(placed);
    after_(release);
    co_return Fail({Code::insufficient_storage, "the disk is full", {}, {}});
  }
  Task<Result<Release>> remove(std::string, std::uint64_t, AuditRecord) override {
    co_return Fail({Code::release_not_found, "", {}, {}});
  }
  Task<void> between(std::function<void()> work) override {
    work();
    co_return;
  }

 private:
  std::function<void(const Release&)> after_;
};

}  // namespace

TEST_CASE("An upload in parts becomes a numbered release with a file of exactly its bytes") {
  ReleaseHost fixture;
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
  ReleaseHost fixture;
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
  ReleaseHost fixture;
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
  ReleaseHost fixture;
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
  ReleaseHost fixture;
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
  ReleaseHost fixture;
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
  ReleaseHost fixture;
  bool has_other = false;
  SUBCASE("nobody else came") {}
  SUBCASE("another upload has got the number, and put its own file there") { has_other = true; }
  FailingReleases rows([&](const Release& release) {
    if (!has_other) return;
    test::write_file(fixture.dir + "/other", "other");
    fs::rename(fixture.dir + "/other", fixture.dir + "/" + release.r2_path);
  });
  const auto service = fixture.make(rows, fixture.dir);
  const auto refused = run(fixture.store.loop, service->upload(at_socket("u"), sending({bundle()}), {}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::insufficient_storage);
  CHECK(fixture.files() == (has_other ? std::set<std::string>{"u/v1.tar.gz"} : std::set<std::string>()));
}

TEST_CASE("A releases folder that is gone fails the upload and says where") {
  ReleaseHost fixture;
  fs::remove_all(fixture.dir);
  const auto refused = fixture.upload(sending({bundle()}));
  REQUIRE_FALSE(refused);
  CHECK(fixture.service->count(fixture.store.user, {}) == 0U);
}

TEST_CASE("A hundred uploads at once get a hundred numbers and each its own file") {
  ReleaseHost fixture;
  std::vector<Result<AddOutcome>> outcomes(100);
  struct Keep {
    static Task<void> into(Task<Result<AddOutcome>> upload, Result<AddOutcome>& to) { to = co_await upload; }
  };
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    auto upload = fixture.service->upload(at_socket(fixture.store.user), sending({bundle(std::to_string(i))}), {});
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
  ReleaseHost fixture;
  REQUIRE(fixture.upload(sending({bundle()})));
  test::write_file(fixture.dir + "/.incoming-1", "left");
  test::write_file(fixture.dir + "/.incoming-2", "left");
  test::write_file(fixture.dir + "/other", "not ours to remove");
  REQUIRE(fixture.service->prepare());
  CHECK(fixture.files() == std::set<std::string>{"other", fixture.store.user + "/v1.tar.gz"});
}

TEST_CASE("A releases folder that cannot be made is an error") {
  ReleaseHost fixture;
  const auto nowhere = fixture.make(*fixture.store.release_rows, fixture.dir + "/absent/releases");
  CHECK_FALSE(nowhere->prepare());
}

}  // namespace leger
