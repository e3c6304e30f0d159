#include "quadlets/bundle.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "quadlets/unit_file.h"
#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

TEST_CASE("a good bundle gives its manifest and its files, for the owner only") {
  const Bundle bundle(gzip(hello_tar()));
  const auto manifest = bundle.unpack();
  REQUIRE(manifest.has_value());
  CHECK(manifest->deployment_name == "hello");
  CHECK(manifest->files == std::vector<std::string>{"hello.container", "conf/hello.conf"});
  REQUIRE(manifest->services.size() == 1);
  CHECK(manifest->services[0].image == "localhost/hello:latest");
  CHECK(manifest->secrets_required == std::vector<std::string>{"test_key"});
  const auto files = files_below(bundle.target());
  CHECK(files.size() == 3);
  CHECK(files.at("conf/hello.conf") == "greeting=hello\n");
  CHECK(files.contains("manifest.json"));
  CHECK(mode_of(bundle.target()) == 0700);
  CHECK(mode_of(bundle.target() + "/conf") == 0700);
  CHECK(mode_of(bundle.target() + "/conf/hello.conf") == 0600);
  CHECK(bundle.check()->files == manifest->files);
}

TEST_CASE("a leading ./, folder entries, an entry of the bundle's own folder and any order are fine") {
  const std::string tar_bytes = tar_folder("./") + tar_file("./conf/hello.conf", "x") + tar_folder("./conf/") +
                                tar_file("./hello.container", "[Container]\n") +
                                tar_file("./manifest.json", manifest_for({"./hello.container", "conf/hello.conf"})) +
                                tar_end();
  const Bundle bundle(gzip(tar_bytes));
  const auto manifest = bundle.unpack();
  REQUIRE(manifest.has_value());
  CHECK(manifest->files == std::vector<std::string>{"hello.container", "conf/hello.conf"});
  CHECK(files_below(bundle.target()).size() == 3);
}

TEST_CASE("the example of the repository is a good bundle, packed by tar in each of its formats") {
  for (const std::string format : {"ustar", "gnu", "pax"}) {
    CAPTURE(format);
    const TemporaryFolder folder;
    const std::string command =
        "tar -C " EXAMPLES_FOLDER "/hello --format=" + format + " -czf " + folder / "b.tar.gz" + " .";
    REQUIRE(std::system(command.c_str()) == 0);
    const auto manifest = unpack_bundle(folder / "b.tar.gz", folder / "out");
    REQUIRE_MESSAGE(manifest.has_value(), manifest.error().message);
    CHECK(manifest->deployment_name == "hello");
    CHECK(manifest->secrets_required == secrets_of_unit(read_file(folder / "out/hello.container")));
    CHECK(manifest->files.size() + 1 == files_below(folder / "out").size());
  }
}

TEST_CASE("times, owners and modes are ignored, but a set-id mode is refused") {
  const auto with_mode = [](unsigned mode) {
    return gzip(with_manifest(tar({.name = "a.conf", .content = "x", .mode = mode})));
  };
  const Bundle bundle(with_mode(0777));
  REQUIRE(bundle.unpack().has_value());
  CHECK(mode_of(bundle.target() + "/a.conf") == 0600);
  CHECK(accepted(with_mode(0)));
  check_says(refusal(with_mode(04755)), Code::invalid_bundle, "\"a.conf\" is set-user-id");
  check_says(refusal(with_mode(02755)), Code::invalid_bundle, "set-group-id");
}

TEST_CASE("an owner's name that is not ASCII is no matter") {
  const std::string name = "Jos\xc3\xa9";
  CHECK(accepted(gzip(with_manifest(tar_pax({{"uname", name}, {"gname", name}}) + tar_file("a.conf", "x")))));
  CHECK(
      accepted(gzip(with_manifest(tar_pax({{"mtime", "1790000000.5"}, {"comment", name}}) + tar_file("a.conf", "x")))));
}

TEST_CASE("an existing target is left alone") {
  const Bundle bundle(gzip(hello_tar()));
  fs::create_directory(bundle.target());
  write_file(bundle.target() + "/mine", "x");
  CHECK_FALSE(bundle.unpack().has_value());
  CHECK(read_file(bundle.target() + "/mine") == "x");
}

TEST_CASE("what is no readable file is refused with what to do") {
  const TemporaryFolder folder;
  check_says(check_bundle(folder / "absent").error(), Code::invalid_bundle, "cannot be read: No such file");
  check_says(check_bundle(folder.path()).error(), Code::invalid_bundle, "no regular file");
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  check_says(check_bundle(folder / "fifo").error(), Code::invalid_bundle, "no regular file");
  // A file that has more bytes than it says, as one does that is still being written.
  check_says(check_bundle("/proc/self/status").error(), Code::invalid_bundle, "grew while it was read");
  check_says(refusal(""), Code::invalid_bundle, "cut off, or no gzip file");
  check_says(refusal("hello, I am no gzip file"), Code::invalid_bundle, "no valid gzip file");
  check_says(refusal(hello_tar()), Code::invalid_bundle, "no valid gzip file");
  check_says(refusal(gzip("")), Code::invalid_bundle, "The bundle is refused");
  check_says(refusal(gzip("neither a tar archive")), Code::invalid_bundle, "The bundle is refused");
}

TEST_CASE("a manifest is there, at the top, and agrees with the files") {
  check_says(refusal(gzip(tar_file("a.conf", "x") + tar_end())), Code::invalid_bundle, "no manifest.json");
  check_says(refusal(gzip(tar_file("app/manifest.json", manifest_for({})) + tar_end())), Code::invalid_bundle,
             "no manifest.json");
  check_says(refusal(gzip(tar_folder("manifest.json/") + tar_end())), Code::invalid_bundle, "no manifest.json");
  check_says(refusal(gzip(with_manifest("", {"absent.conf"}))), Code::invalid_bundle,
             "\"absent.conf\", which is not in");
  check_says(refusal(gzip(with_manifest(tar_folder("d/"), {"d"}))), Code::invalid_bundle, "which is not in");
  check_says(refusal(gzip(with_manifest(tar_file("A.conf", ""), {"a.conf"}))), Code::invalid_bundle, "which is not in");
  for (const char* ending : {"container", "volume", "network", "pod", "kube", "image", "build", "artifact"}) {
    const std::string name = std::string("sub/x.") + ending;
    check_says(refusal(gzip(with_manifest(tar_file(name, "")))), Code::invalid_bundle,
               "does not list \"" + name + "\"");
    CHECK(accepted(gzip(with_manifest(tar_file(name, ""), {name}))));
  }
  // Side files may be listed or not.
  CHECK(accepted(gzip(with_manifest(tar_file("x.conf", "") + tar_file("x.container.d/10.conf", "")))));
}

TEST_CASE("a bundle with a bad manifest leaves nothing behind") {
  check_says(refusal(gzip(tar_file("a.conf", "x") + tar_file("manifest.json", "{") + tar_end())), Code::invalid_bundle,
             "manifest.json cannot be read");
}

TEST_CASE("unpacking where no folder can be made says so") {
  const Bundle bundle(gzip(hello_tar()));
  const auto result = unpack_bundle(bundle.path(), bundle.target() + "/no/such/parent");
  REQUIRE_FALSE(result.has_value());
  CHECK(name_of(result.error().code) == "internal_error");
  CHECK(result.error().message.find("No such file or directory") != std::string::npos);
}

TEST_CASE("a disk that refuses a write leaves no folder behind") {
  const Bundle bundle(gzip(with_manifest(tar_file("big.conf", std::string(200'000, 'x')))));
  // A limit on the size of files plays the full disk; without the handler its signal would end the test.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{100'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto result = bundle.unpack();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(result.has_value());
  CHECK_MESSAGE(result.error().message.find("big.conf cannot be written") != std::string::npos, result.error().message);
  CHECK_FALSE(fs::exists(bundle.target()));
}

// What is damaged at random is refused, or is a bundle that keeps every rule: then all files are plain and inside.
TEST_CASE("random damage never gives a file outside or of another kind") {
  const bool soak = std::getenv("LEGER_SOAK") != nullptr;
  std::mt19937 random(20'261'122);
  const std::string whole = tar_pax({{"path", "conf/long.conf"}}) + tar_file("x", "content") + hello_tar();
  const TemporaryFolder folder;
  int good = 0;
  for (int round = 0; round < (soak ? 300'000 : 1'000); ++round) {
    std::string bytes = whole;
    for (unsigned change = 0, changes = 1 + random() % 4; change < changes; ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    std::string packed = gzip(bytes);
    if (round % 4 == 0) packed[random() % packed.size()] = static_cast<char>(random());
    write_file(folder / "bundle", packed);
    // Unpacking waits for the disk, so that it is sampled.
    if (round % 10 != 0) {
      if (const auto checked = check_bundle(folder / "bundle"); !checked) CHECK_FALSE(checked.error().action.empty());
      continue;
    }
    const auto unpacked = unpack_bundle(folder / "bundle", folder / "out");
    CHECK(unpacked.has_value() == check_bundle(folder / "bundle").has_value());
    CHECK(unpacked.has_value() == fs::exists(folder / "out"));
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == (unpacked ? 2 : 1));
    if (!unpacked) continue;
    ++good;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "out")) {
      const auto type = entry.symlink_status().type();
      CHECK((type == fs::file_type::regular || type == fs::file_type::directory));
    }
    fs::remove_all(folder / "out");
  }
  CHECK(good > 0);
}

}  // namespace
}  // namespace leger::test
