#include "quadlets/installer.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>

#include "tests/fakes/fake_file_system.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

// Quadlet folder and staging in a folder of their own.
struct Place {
  TemporaryFolder folder;
  FakeFileSystem files;
  Installer installer{files, folder / "containers/systemd"};

  Place() {
    REQUIRE(installer.prepare().has_value());
    files.reset();
  }
  void stage(const std::string& id, const std::string& text) const {
    fs::create_directory(installer.staging_path(id));
    if (!text.empty()) write_file(installer.staging_path(id) + "/app.container", text);
  }
  void make_live(const std::string& text) const {
    fs::create_directory(installer.live_path("app"));
    write_file(installer.live_path("app") + "/app.container", text);
  }
  // What is in a folder: the text of its file, "empty" or "absent".
  static std::string content(const std::string& path) {
    if (!fs::exists(path)) return "absent";
    return fs::is_empty(path) ? "empty" : read_file(path + "/app.container");
  }
  std::string live() const { return content(installer.live_path("app")); }
  std::string staged() const { return content(installer.staging_path("s1")); }
  std::string both() const { return live() + "/" + staged(); }
};

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

TEST_CASE("prepare makes both folders for the owner only, and again does nothing") {
  const TemporaryFolder folder;
  FakeFileSystem files;
  Installer installer(files, folder / "config/containers/systemd/");
  REQUIRE(installer.prepare().has_value());
  CHECK(installer.quadlet_dir() == folder / "config/containers/systemd");
  CHECK(installer.staging_path("x") == folder / "config/containers/leger-staging/x");
  CHECK(mode_of(installer.quadlet_dir()) == 0700);
  CHECK(mode_of(folder / "config/containers/leger-staging") == 0700);
  files.reset();
  REQUIRE(installer.prepare().has_value());
  CHECK(files.calls().empty());
}

TEST_CASE("prepare follows a link on the way, and says which folder cannot be made") {
  const TemporaryFolder folder;
  FakeFileSystem files;
  fs::create_directory(folder / "real");
  fs::create_directory_symlink("real", folder / "link");
  CHECK(Installer(files, folder / "link/systemd").prepare().has_value());
  CHECK(fs::is_directory(folder / "real/leger-staging"));
  write_file(folder / "file", "x");
  const auto on_file = Installer(files, folder / "file/systemd").prepare();
  REQUIRE_FALSE(on_file.has_value());
  CHECK(on_file.error().message.find(folder / "file") != std::string::npos);
  for (const char* call : {"make_folder", "sync_folder"}) {
    files.reset();
    files.fail_named(call, ENOSPC);
    const auto full = Installer(files, folder / "other/systemd").prepare();
    REQUIRE_FALSE(full.has_value());
    CHECK(name_of(full.error().code) == "insufficient_storage");
    fs::remove_all(folder / "other");
  }
}

TEST_CASE("a first switch puts the staged folder in place and leaves an empty one in staging") {
  Place place;
  place.stage("s1", "new");
  const auto identity = Installer::identity(place.installer.staging_path("s1"));
  CHECK(identity != 0);
  CHECK_FALSE(place.installer.is_live("app"));
  REQUIRE(place.installer.switch_in("s1", "app").has_value());
  CHECK(place.both() == "new/empty");
  CHECK(place.installer.is_live("app"));
  CHECK(Installer::identity(place.installer.live_path("app")) == identity);
}

TEST_CASE("a later switch exchanges the two, and back") {
  Place place;
  place.make_live("old");
  place.stage("s1", "new");
  REQUIRE(place.installer.switch_in("s1", "app").has_value());
  CHECK(place.both() == "new/old");
  REQUIRE(place.installer.switch_back("s1", "app").has_value());
  CHECK(place.both() == "old/new");
}

TEST_CASE("switching back the first switch takes the app away") {
  Place place;
  place.stage("s1", "new");
  REQUIRE(place.installer.switch_in("s1", "app").has_value());
  REQUIRE(place.installer.switch_back("s1", "app").has_value());
  CHECK(place.both() == "absent/new");
}

TEST_CASE("an app is taken away and put back, never onto something that is there") {
  Place place;
  place.make_live("old");
  REQUIRE(place.installer.take_away("s1", "app").has_value());
  CHECK(place.both() == "absent/old");
  REQUIRE(place.installer.put_back("s1", "app").has_value());
  CHECK(place.both() == "old/absent");
  place.stage("s1", "other");
  CHECK_FALSE(place.installer.take_away("s1", "app").has_value());
  CHECK_FALSE(place.installer.put_back("s1", "app").has_value());
  CHECK(place.both() == "old/other");
}

TEST_CASE("every change is on the disk in both folders when it returns") {
  Place place;
  place.stage("s1", "new");
  using Calls = std::vector<std::string>;
  REQUIRE(place.installer.switch_in("s1", "app").has_value());
  CHECK(place.files.calls() == Calls{"make_folder", "exchange", "sync_folder", "sync_folder"});
  place.files.reset();
  REQUIRE(place.installer.switch_back("s1", "app").has_value());
  CHECK(place.files.calls() ==
        Calls{"exchange", "sync_folder", "sync_folder", "remove_tree", "sync_folder", "sync_folder"});
  place.files.reset();
  REQUIRE(place.installer.put_back("s1", "app").has_value());
  CHECK(place.files.calls() == Calls{"rename", "sync_folder", "sync_folder"});
  place.files.reset();
  REQUIRE(place.installer.take_away("s1", "app").has_value());
  CHECK(place.files.calls() == Calls{"rename", "sync_folder", "sync_folder"});
  place.files.reset();
  REQUIRE(place.installer.remove_staging("s1").has_value());
  CHECK(place.files.calls() == Calls{"remove_tree", "sync_folder"});
}

struct Change {
  const char* name;
  std::function<void(Place&)> arrange;
  std::function<Result<void>(Place&)> act;
  std::vector<std::string> whole;  // what live/staged may be after a failure
};

const std::vector<Change>& changes() {
  static const std::vector<Change> all = {
      {"first switch in",
       [](Place& p) { p.stage("s1", "new"); },
       [](Place& p) { return p.installer.switch_in("s1", "app"); },
       {"absent/new", "empty/new", "new/empty"}},
      {"switch in",
       [](Place& p) {
         p.make_live("old");
         p.stage("s1", "new");
       },
       [](Place& p) { return p.installer.switch_in("s1", "app"); },
       {"old/new", "new/old"}},
      {"switch back",
       [](Place& p) {
         p.make_live("new");
         p.stage("s1", "old");
       },
       [](Place& p) { return p.installer.switch_back("s1", "app"); },
       {"new/old", "old/new"}},
      {"first switch back",
       [](Place& p) {
         p.make_live("new");
         p.stage("s1", "");
       },
       [](Place& p) { return p.installer.switch_back("s1", "app"); },
       {"new/empty", "empty/new", "absent/new"}},
      {"take away",
       [](Place& p) { p.make_live("old"); },
       [](Place& p) { return p.installer.take_away("s1", "app"); },
       {"old/absent", "absent/old"}},
      {"put back",
       [](Place& p) { p.stage("s1", "old"); },
       [](Place& p) { return p.installer.put_back("s1", "app"); },
       {"absent/old", "old/absent"}},
  };
  return all;
}

TEST_CASE("after a fault of any single call the app is as before, or wholly changed, and the error says what failed") {
  for (const Change& change : changes()) {
    for (unsigned nth = 1;; ++nth) {
      CAPTURE(change.name);
      CAPTURE(nth);
      Place place;
      change.arrange(place);
      const std::string before = place.both();
      place.files.fail_nth(nth, EIO);
      const auto result = change.act(place);
      CHECK_MESSAGE(std::ranges::find(change.whole, place.both()) != change.whole.end(), place.both());
      if (result) {
        CHECK(nth > place.files.calls().size());
        break;
      }
      CHECK(result.error().message.find("Input/output error") != std::string::npos);
      CHECK(result.error().message.find(place.folder.path()) != std::string::npos);
      const bool last_steps_of_removal = std::string_view(change.name) == "first switch back" && nth > 3;
      if (!last_steps_of_removal) CHECK(place.both() == before);
    }
  }
}

TEST_CASE("where going back fails too the app is wholly one or the other") {
  for (const Change& change : changes()) {
    for (const char* call : {"make_folder", "exchange", "rename", "remove_tree", "sync_folder"}) {
      for (const unsigned nth : {1U, 2U}) {
        CAPTURE(change.name);
        CAPTURE(call);
        Place place;
        change.arrange(place);
        place.files.fail_named("sync_folder", EIO);
        place.files.fail_named(call, EIO, nth);
        const auto result = change.act(place);
        CHECK_FALSE(result.has_value());
        CHECK_MESSAGE(std::ranges::find(change.whole, place.both()) != change.whole.end(), place.both());
      }
    }
  }
}

TEST_CASE("whether folders can be exchanged is tried without a trace") {
  Place place;
  place.stage("s1", "new");
  place.make_live("old");
  REQUIRE(place.installer.check_exchange("s1").has_value());
  CHECK(place.both() == "old/new");
  CHECK(std::distance(fs::directory_iterator(place.installer.staging_path("s1")), {}) == 1);
  CHECK(std::distance(fs::directory_iterator(place.installer.quadlet_dir()), {}) == 1);
}

TEST_CASE("a file system that cannot exchange, and two that cannot among each other, are told beforehand") {
  for (const unsigned call : {1U, 2U}) {
    CAPTURE(call);
    Place place;
    place.stage("s1", "new");
    place.files.fail_named("exchange", EXDEV, call);
    const auto result = place.installer.check_exchange("s1");
    REQUIRE_FALSE(result.has_value());
    CHECK(name_of(result.error().code) == "unavailable");
    CHECK(result.error().action.find("ReadWritePaths=") != std::string::npos);
    CHECK(std::distance(fs::directory_iterator(place.installer.staging_path("s1")), {}) == 1);
  }
  Place place;
  place.stage("s1", "new");
  place.files.fail_named("make_folder", EIO, 2);
  const auto result = place.installer.check_exchange("s1");
  REQUIRE_FALSE(result.has_value());
  CHECK(name_of(result.error().code) == "internal_error");
}

TEST_CASE("a file system that cannot exchange folders is named, with what to do") {
  for (const int problem : {EINVAL, EXDEV, ENOSYS}) {
    Place place;
    place.stage("s1", "new");
    place.files.fail_named("exchange", problem);
    const auto result = place.installer.switch_in("s1", "app");
    REQUIRE_FALSE(result.has_value());
    CHECK(name_of(result.error().code) == "unavailable");
    CHECK(result.error().message.find("file system") != std::string::npos);
    CHECK(result.error().message.find(place.installer.live_path("app")) != std::string::npos);
    CHECK(result.error().action.find("ReadWritePaths=") != std::string::npos);
    CHECK(place.both() == "absent/new");
  }
}

TEST_CASE("a switch of what is not staged fails and leaves what is live") {
  Place place;
  CHECK_FALSE(place.installer.switch_in("s1", "app").has_value());
  CHECK(place.both() == "absent/absent");
  place.make_live("old");
  CHECK_FALSE(place.installer.switch_in("s1", "app").has_value());
  CHECK_FALSE(place.installer.switch_back("s1", "app").has_value());
  CHECK(place.both() == "old/absent");
}

TEST_CASE("names that lead elsewhere touch nothing") {
  Place place;
  place.make_live("old");
  for (const std::string id : {"", ".", "..", "a/b", "../systemd", "a\n", ".hidden"}) {
    CAPTURE(id);
    CHECK_FALSE(place.installer.switch_in(id, "app").has_value());
    CHECK_FALSE(place.installer.switch_back(id, "app").has_value());
    CHECK_FALSE(place.installer.take_away(id, "app").has_value());
    CHECK_FALSE(place.installer.put_back(id, "app").has_value());
    CHECK_FALSE(place.installer.remove_staging(id).has_value());
  }
  for (const std::string name : {"", "..", "a/b", "App", "latest"}) {
    CHECK_FALSE(place.installer.switch_in("s1", name).has_value());
    CHECK_FALSE(place.installer.take_away("s1", name).has_value());
  }
  CHECK(place.files.calls().empty());
  CHECK(place.live() == "old");
}

TEST_CASE("staging folders are listed in order and removed, an absent one is no failure") {
  Place place;
  place.stage("b", "x");
  place.stage("a", "x");
  write_file(place.installer.staging_path("file"), "x");
  CHECK(place.installer.staged_ids().value() == std::vector<std::string>{"a", "b"});
  REQUIRE(place.installer.remove_staging("a").has_value());
  REQUIRE(place.installer.remove_staging("a").has_value());
  CHECK(place.installer.staged_ids().value() == std::vector<std::string>{"b"});
  place.files.fail_named("remove_tree", EACCES);
  CHECK_FALSE(place.installer.remove_staging("b").has_value());
  place.files.reset();
  place.files.fail_named("sync_folder", EIO);
  CHECK_FALSE(place.installer.remove_staging("b").has_value());
  fs::remove_all(place.folder / "containers/leger-staging");
  CHECK(place.installer.staged_ids().value().empty());
  write_file(place.folder / "containers/leger-staging", "x");
  CHECK_FALSE(place.installer.staged_ids().has_value());
}

TEST_CASE("identity is of folders alone and differs between them") {
  Place place;
  place.stage("a", "x");
  place.stage("b", "x");
  CHECK(Installer::identity(place.installer.staging_path("a")) !=
        Installer::identity(place.installer.staging_path("b")));
  CHECK(Installer::identity(place.installer.staging_path("c")) == 0);
  CHECK(Installer::identity(place.installer.staging_path("a") + "/app.container") == 0);
  fs::create_directory_symlink("a", place.installer.staging_path("link"));
  CHECK(Installer::identity(place.installer.staging_path("link")) == 0);
}

TEST_CASE("an empty folder, as an interrupted switch leaves one, is no live app") {
  Place place;
  fs::create_directory(place.installer.live_path("app"));
  CHECK_FALSE(place.installer.is_live("app"));
  place.stage("s1", "new");
  REQUIRE(place.installer.switch_in("s1", "app").has_value());
  CHECK(place.both() == "new/empty");
}

}  // namespace
}  // namespace leger::test
