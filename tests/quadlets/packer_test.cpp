#include "quadlets/packer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "backend/base/file_handle.h"
#include "backend/base/json.h"
#include "quadlets/bundle.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnit = "[Container]\nImage=localhost/hello:latest\nSecret=test_key\n";

// An app's folder, filled file by file.
class App {
 public:
  explicit App(const std::string& name = "hello") : path_(above_ / name) { fs::create_directory(path_); }

  App& file(const std::string& name, std::string_view bytes) {
    fs::create_directories(fs::path(path_ + "/" + name).parent_path());
    write_file(path_ + "/" + name, bytes);
    return *this;
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  Result<PackedFolder> pack(const std::string& name = "") const { return pack_folder(path_, {name, {}}); }
  std::string bytes() const {
    const auto packed = pack();
    REQUIRE_MESSAGE(packed.has_value(), (packed ? "" : packed.error().message));
    return packed->bytes;
  }
  Error refusal(const std::string& name = "") const {
    const auto packed = pack(name);
    REQUIRE_FALSE(packed.has_value());
    CHECK(packed.error().action.contains("leger releases validate"));
    return packed.error();
  }

 private:
  TemporaryFolder above_;
  std::string path_;
};

// What legerd makes of the bytes.
Result<Manifest> check(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "b.tar.gz", bytes);
  return check_bundle(folder / "b.tar.gz");
}

std::map<std::string, std::string> unpacked(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "b.tar.gz", bytes);
  const auto manifest = unpack_bundle(folder / "b.tar.gz", folder / "to");
  REQUIRE_MESSAGE(manifest.has_value(), (manifest ? "" : manifest.error().message));
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "to")) {
    if (entry.is_regular_file()) {
      files.emplace(fs::relative(entry.path(), folder / "to").string(), read_file(entry.path().string()));
    }
  }
  return files;
}

std::string example(const std::string& name) { return read_file(std::string(EXAMPLES_FOLDER) + "/hello/" + name); }

TEST_CASE("the example without its manifest comes out of a bundle as it went in, with one that says the same") {
  App app;
  const std::vector<std::string> names = {"hello-data.volume", "hello.conf", "hello.container", "hello.network"};
  for (const std::string& name : names) app.file(name, example(name));
  const auto packed = app.pack();
  REQUIRE(packed.has_value());
  CHECK(packed->origin == ManifestOrigin::made);
  auto files = unpacked(packed->bytes);
  const auto made = parse_json(files["manifest.json"]);
  REQUIRE(made.has_value());
  CHECK(*made ==
        Json{{"version", 0},
             {"deployment_name", "hello"},
             {"created_at", "1970-01-01T00:00:00Z"},
             {"files", names},
             {"services", {{{"name", "hello"}, {"type", "container"}, {"image", "localhost/leger-hello:latest"}}}},
             {"secrets_required", {"test_key"}}});
  CHECK(files.size() == names.size() + 1);
  for (const std::string& name : names) CHECK_MESSAGE(files[name] == example(name), name);
}

TEST_CASE("a folder's own manifest goes in as it is") {
  const auto packed = pack_folder(std::string(EXAMPLES_FOLDER) + "/hello", {});
  REQUIRE(packed.has_value());
  CHECK(packed->origin == ManifestOrigin::given);
  CHECK(unpacked(packed->bytes)["manifest.json"] == example("manifest.json"));
  CHECK(packed->manifest.deployment_name == "hello");
}

TEST_CASE("the same files give the same bytes: elsewhere, at another time, with other modes, in another order") {
  App first;
  first.file("a.conf", "1").file("b/c.conf", "2").file("hello.container", kUnit);
  App second;
  second.file("hello.container", kUnit).file("b/c.conf", "2").file("a.conf", "1");
  fs::last_write_time(second / "a.conf", fs::file_time_type::clock::now() - std::chrono::hours(1000));
  fs::permissions(second / "hello.container", fs::perms::owner_all);
  fs::create_directory(second / "empty");
  const std::string bytes = first.bytes();
  CHECK(bytes == first.bytes());
  CHECK(bytes == second.bytes());
  second.file("a.conf", "3");
  CHECK(bytes != second.bytes());
  // The gzip header: no time, no name, no system.
  CHECK(bytes.substr(0, 10) == std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
}

TEST_CASE("hidden files and folders are left out at any level, and told of") {
  App app;
  app.file("hello.container", kUnit).file("conf/a", "1");
  const std::string bytes = app.bytes();
  app.file(".env", "KEY=1").file(".git/config", "x").file("conf/.DS_Store", "x");
  const auto packed = app.pack();
  REQUIRE(packed.has_value());
  CHECK(packed->bytes == bytes);
  CHECK(packed->skipped == std::vector<std::string>{".env", ".git/", "conf/.DS_Store"});
}

TEST_CASE("services are what runs, with the image that it ends at; secrets come from the drop-ins too") {
  App app;
  app.file("web.container", "[Container]\nImage=web.image\nSecret=z_key,type=env\nPod=all.pod\n")
      .file("web.image", "[Image]\nImage=docker.io/library/nginx:1\n")
      .file("own.container", "[Container]\nImage=own.build\nSecret=dropped\n")
      .file("own.build", "[Build]\nImageTag=localhost/own:1\nFile=Containerfile\nSecret=id=x,src=y\n")
      .file("own.container.d/10-more.conf", "[Container]\nSecret=\nSecret=a_key b_key\n")
      .file("own.container.d/readme", "Secret=not_this\n")
      .file("all.pod", "[Pod]\n")
      .file("k.kube", "[Kube]\nYaml=k.yaml\n")
      .file("k.yaml", "Secret=no\n")
      .file("n.network", "[Network]\n");
  const auto packed = app.pack("");
  REQUIRE_MESSAGE(packed.has_value(), (packed ? "" : packed.error().message));
  std::string services;
  for (const ManifestService& service : packed->manifest.services) {
    services += service.name + " " + service.type + " " + service.image + "|";
  }
  CHECK(services == "all pod |k kube |own container localhost/own:1|web container docker.io/library/nginx:1|");
  CHECK(packed->manifest.secrets_required == std::vector<std::string>{"a_key", "b_key", "z_key"});
  CHECK(check(packed->bytes).has_value());
}

TEST_CASE("an app without manifest is named after its folder, made to fit, or by --name") {
  CHECK(fitted_name("Hello") == "hello");
  CHECK(fitted_name("My App (v2)") == "my-app-v2");
  CHECK(fitted_name("_.-x_y-Z") == "x_y-z");
  CHECK(fitted_name("caf\xc3\xa9") == "caf");
  CHECK(fitted_name(std::string(100, 'a')) == std::string(63, 'a'));
  CHECK(fitted_name("...") == "");
  const App app("My App");
  write_file(app / "a.container", kUnit);
  CHECK(app.pack()->manifest.deployment_name == "my-app");
  CHECK(app.pack("other")->manifest.deployment_name == "other");
  CHECK(pack_folder(app.path() + "/.", {})->manifest.deployment_name == "my-app");
  CHECK(app.refusal("latest").message.contains("cannot become an app named \"latest\"; --name gives it another"));
  CHECK(app.refusal("Bad").message.contains("\"Bad\""));
  const App digits("2026");
  write_file(digits / "a.container", kUnit);
  CHECK(digits.refusal().message.contains("\"2026\""));
}

TEST_CASE("--name and a given manifest must agree") {
  App app;
  app.file("hello.container", kUnit).file("manifest.json", manifest_for({"hello.container"}));
  CHECK(app.pack("hello").has_value());
  CHECK(app.refusal("other").message ==
        "\"manifest.json\" names the app \"hello\", and --name \"other\": only one of them can be right.");
}

TEST_CASE("a given manifest is judged as legerd judges it") {
  App app;
  app.file("hello.container", kUnit).file("more.volume", "[Volume]\n");
  app.file("manifest.json", manifest_for({"hello.container"}));
  CHECK(app.refusal().message == "\"manifest.json\" does not list \"more.volume\", which is a quadlet.");
  app.file("manifest.json", manifest_for({"hello.container", "more.volume", "gone.conf"}));
  CHECK(app.refusal().message == "\"manifest.json\" lists \"gone.conf\", which is not in the folder.");
  app.file("manifest.json", "{");
  CHECK(app.refusal().message.starts_with("\"manifest.json\" cannot be read ("));
  app.file("manifest.json", R"({"deployment_name":"hello"})");
  CHECK(app.refusal().message == "\"manifest.json\" is refused: \"files\" is missing.");
  app.file("manifest.json", std::string((256 << 10) + 1, ' '));
  CHECK(app.refusal().message == "\"manifest.json\" has 262145 bytes, more than 262144.");
}

TEST_CASE("a folder that is no app is refused") {
  const App empty;
  CHECK(empty.refusal().message == "The folder is empty.");
  write_file(empty / ".env", "x");
  CHECK(empty.refusal().message == "The folder is empty.");
  write_file(empty / "notes.txt", "x");
  CHECK(empty.refusal().message.starts_with("The folder holds no quadlet"));
  const auto absent = pack_folder(empty / "absent", {});
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().message.ends_with("absent\" cannot be opened: No such file or directory."));
  CHECK_FALSE(pack_folder(empty / "notes.txt", {}).has_value());
}

TEST_CASE("a secret's name that cannot be is said of its unit") {
  App app;
  app.file("a.container", "[Container]\nImage=x\nSecret=list\n");
  CHECK(app.refusal().message == "\"a.container\" names the secret \"list\", which none can have.");
}

// Adds one entry to an app that is fine without it, and gives why the app is refused.
template <class Add>
Error refused_with(Add add) {
  App app;
  app.file("hello.container", kUnit);
  add(app);
  return app.refusal();
}

TEST_CASE("what is no plain file is refused by name and kind") {
  const auto message = [](auto add) { return refused_with(add).message; };
  CHECK(message([](App& app) { fs::create_symlink("/etc/passwd", app / "link"); }) == "\"link\" is a symbolic link.");
  CHECK(message([](App& app) { fs::create_directory_symlink("/etc", app / "etc"); }) == "\"etc\" is a symbolic link.");
  CHECK(message([](App& app) { REQUIRE(mkfifo((app / "pipe").c_str(), 0600) == 0); }) == "\"pipe\" is a named pipe.");
  CHECK(message([](App& app) {
          const FileHandle socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
          sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
          const std::string path = app / "sock";
          REQUIRE(path.size() < sizeof address.sun_path);
          path.copy(address.sun_path, path.size());
          REQUIRE(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        }) == "\"sock\" is a socket.");
}

TEST_CASE("a device is refused") {
  App app;
  app.file("hello.container", kUnit);
  // The one device that anybody may make, where the kernel and the sandbox let them.
  if (mknod((app / "device").c_str(), S_IFCHR | 0600, 0) != 0) return;
  CHECK(app.refusal().message == "\"device\" is a device.");
}

TEST_CASE("names that a bundle cannot have are refused") {
  const auto message = [](const std::string& name) {
    return refused_with([&name](App& app) { app.file(name, "x"); }).message;
  };
  CHECK(message("two words") == "\"two words\" has other characters than A-Z a-z 0-9 @ _ . - in its name.");
  CHECK(message("\xff\xfe") == "\"\\xff\\xfe\" has other characters than A-Z a-z 0-9 @ _ . - in its name.");
  CHECK(message("a\nb").starts_with("\"a\\x0ab\" has other characters"));
  CHECK(message("1/2/3/4/x") == "\"1/2/3/4/x\" lies deeper than 4 levels.");
  CHECK(message("HELLO.container") == "\"hello.container\" is there twice (upper and lower case count as the same).");
  const std::string part(100, 'a');
  CHECK(message(part + "/" + part + "/" + part).contains("more than 255 bytes"));
}

TEST_CASE("folders whose names differ only in case are refused") {
  const Error error = refused_with([](App& app) { app.file("CONF/a", "").file("conf/b", ""); });
  CHECK(error.message == "\"conf/b\" lies in a folder that is there in another case too.");
}

TEST_CASE("a folder of more than 10 000 names is not looked through") {
  App app;
  app.file("hello.container", kUnit);
  for (int i = 0; i < 10'000; ++i) fs::create_symlink("x", app / ("." + std::to_string(i)));
  CHECK(app.refusal().message == "The folder has more than 10000 files and folders in it.");
  fs::remove(app / ".0");
  CHECK(app.pack().has_value());
}

TEST_CASE("the longest paths and the deepest ones come out as they went in") {
  App app;
  const std::string longest = std::string(120, 'a') + "/" + std::string(134, 'b');
  app.file("hello.container", kUnit).file(longest, "1").file("1/2/3/x", "2");
  auto files = unpacked(app.bytes());
  CHECK(files[longest] == "1");
  CHECK(files["1/2/3/x"] == "2");
  CHECK(files.size() == 4);
}

TEST_CASE("256 files with the manifest, and not one more") {
  App app;
  app.file("hello.container", kUnit);
  for (int i = 0; i < 254; ++i) app.file(std::to_string(i), "");
  CHECK(check(app.bytes()).has_value());
  app.file("254", "");
  CHECK(app.refusal().message == "The folder has no room for manifest.json: a bundle has at most 256 files.");
  app.file("255", "");
  const Error error = app.refusal();
  CHECK(error.message == "The folder has more than 256 files.");
  CHECK(error.code == Code::bundle_too_large);
}

TEST_CASE("a file of 4 MiB, and no byte more") {
  App app;
  app.file("hello.container", kUnit).file("data", "");
  fs::resize_file(app / "data", (4 << 20) + 1);
  const Error error = app.refusal();
  CHECK(error.message == "\"data\" has 4194305 bytes, more than 4194304.");
  CHECK(error.code == Code::bundle_too_large);
  // Exactly 4 MiB of zeros pack too well: legerd would refuse that as a bomb.
  fs::resize_file(app / "data", 4 << 20);
  CHECK(app.pack().error().message ==
        "The folder is refused: it would unpack to more than 100 times the bundle's size.");
}

// Bytes that do not pack, the same at each run.
std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

TEST_CASE("the limits of the whole bundle are legerd's own") {
  App app;
  app.file("hello.container", kUnit).file("data", noise(40'000));
  const std::string bytes = app.bytes();
  const BundleLimits fits{.packed_bytes = bytes.size()};
  CHECK(pack_folder(app.path(), {"", fits}).has_value());
  const auto packed = pack_folder(app.path(), {"", {.packed_bytes = bytes.size() - 1}});
  REQUIRE_FALSE(packed.has_value());
  CHECK(packed.error().message ==
        "The folder is refused: packed it has more than " + std::to_string(bytes.size() - 1) + " bytes.");
  const TemporaryFolder folder;
  write_file(folder / "b", bytes);
  // Three headers, the contents in blocks of 512, and the end mark.
  const std::uint64_t manifest_blocks = (unpacked(bytes)["manifest.json"].size() + 511) / 512;
  const std::uint64_t exact = 512 * (3 + 1 + 79 + manifest_blocks + 2);
  CHECK(check_bundle(folder / "b", {.unpacked_bytes = exact}).has_value());
  CHECK_FALSE(check_bundle(folder / "b", {.unpacked_bytes = exact - 1}).has_value());
  CHECK(pack_folder(app.path(), {"", {.unpacked_bytes = exact}}).has_value());
  const auto headers = pack_folder(app.path(), {"", {.unpacked_bytes = exact - 1}});
  CHECK(headers.error().message.contains("files and their headers have more than"));
  const auto files = pack_folder(app.path(), {"", {.unpacked_bytes = 40'000}});
  CHECK(files.error().message == "The folder has more than 40000 bytes in its files.");
}

TEST_CASE("a file that is not as long as it was said to be has changed while it was read") {
  // procfs says 0 bytes of files that have some.
  const auto prepared = prepare_folder("/proc/sys/kernel/random", {});
  REQUIRE(prepared.has_value());
  bool named = false;
  for (const FolderFinding& problem : prepared->problems) {
    named = named || sentence_of(problem) == "\"poolsize\" changed while it was read";
  }
  CHECK(named);
}

TEST_CASE("a file that cannot be read is named") {
  if (geteuid() == 0) return;  // root can
  App app;
  app.file("hello.container", kUnit).file("closed", "x");
  fs::permissions(app / "closed", fs::perms::none);
  CHECK(app.refusal().message == "\"closed\" cannot be opened: Permission denied.");
  fs::permissions(app / "closed", fs::perms::owner_all);
  app.file("folder/x", "x");
  fs::permissions(app / "folder", fs::perms::none);
  CHECK(app.refusal().message == "\"folder\" cannot be opened: Permission denied.");
  fs::permissions(app / "folder", fs::perms::owner_all);
}

TEST_CASE("of several problems the first is told and the others counted") {
  App app;
  app.file("hello.container", kUnit).file("a b", "").file("c d", "");
  CHECK(app.refusal().message == "\"a b\" has other characters than A-Z a-z 0-9 @ _ . - in its name (and 1 more).");
  for (int i = 0; i < 200; ++i) app.file("x y" + std::to_string(i), "");
  CHECK(app.refusal().message.ends_with("(and 99 more)."));
}

}  // namespace
}  // namespace leger::test
