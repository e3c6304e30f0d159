#include "quadlets/bundle.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "quadlets/unit_file.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;

// A bundle in a file, and what is made of it.
class Bundle {
 public:
  explicit Bundle(std::string_view packed) : path_(folder_ / "bundle.tar.gz") { write_file(path_, packed); }

  const std::string& path() const { return path_; }
  std::string target() const { return folder_ / "unpacked"; }
  Result<Manifest> check(const BundleLimits& limits = {}) const { return check_bundle(path_, limits); }
  Result<Manifest> unpack(const BundleLimits& limits = {}) const { return unpack_bundle(path_, target(), limits); }

 private:
  TemporaryFolder folder_;
  std::string path_;
};

// `entries` and a manifest that lists `files`, whole.
std::string with_manifest(const std::string& entries, const std::vector<std::string>& files = {}) {
  return tar_file("manifest.json", manifest_for(files)) + entries + tar_end();
}

std::string hello_tar() {
  return with_manifest(tar_file("hello.container", "[Container]\nImage=localhost/hello:latest\n") +
                           tar_file("conf/hello.conf", "greeting=hello\n"),
                       {"hello.container", "conf/hello.conf"});
}

// Both readings agree, and a refused bundle leaves nothing: the error of a bundle that must be refused.
Error refusal(const std::string& packed, const BundleLimits& limits = {}) {
  const Bundle bundle(packed);
  const auto checked = bundle.check(limits);
  const auto unpacked = bundle.unpack(limits);
  REQUIRE_FALSE(checked.has_value());
  REQUIRE_FALSE(unpacked.has_value());
  CHECK(checked.error().message == unpacked.error().message);
  CHECK_FALSE(fs::exists(bundle.target()));
  CHECK_FALSE(checked.error().action.empty());
  return checked.error();
}

Error refused_entry(const std::string& entry) { return refusal(gzip(with_manifest(entry))); }

void check_says(const Error& error, Code code, std::string_view part) {
  CHECK(name_of(error.code) == name_of(code));
  CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
}

bool accepted(const std::string& packed, const BundleLimits& limits = {}) {
  const Bundle bundle(packed);
  const auto checked = bundle.check(limits);
  const auto unpacked = bundle.unpack(limits);
  CHECK(checked.has_value() == unpacked.has_value());
  INFO((checked ? std::string() : checked.error().message));
  CHECK(fs::exists(bundle.target()) == unpacked.has_value());
  return checked.has_value();
}

std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = read_file(entry.path().string());
  }
  return files;
}

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

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

TEST_CASE("links, devices, pipes and unknown kinds are refused by name") {
  const auto of_type = [](char type, std::string link) {
    return refused_entry(tar({.name = "evil", .type = type, .link = std::move(link)}));
  };
  check_says(of_type('1', "manifest.json"), Code::invalid_bundle, "\"evil\" is a hard link");
  check_says(of_type('1', "/etc/passwd"), Code::invalid_bundle, "hard link");
  check_says(of_type('2', "/etc"), Code::invalid_bundle, "\"evil\" is a symbolic link");
  check_says(of_type('2', "../.."), Code::invalid_bundle, "symbolic link");
  for (const char type : {'3', '4', '6'}) check_says(of_type(type, ""), Code::invalid_bundle, "device, pipe");
}

TEST_CASE("a link is no way out for the entry behind it") {
  const std::string link = tar({.name = "out", .type = '2', .link = "/tmp"});
  refused_entry(link + tar_file("out/evil", "x"));
}

TEST_CASE("names that lead out, hide or confuse are refused") {
  const std::map<std::string, std::string> names = {
      {"../evil", "climbs out"},
      {"a/../../evil", "climbs out"},
      {"..", "climbs out"},
      {"./../evil", "climbs out"},
      {"a/..", "climbs out"},
      {"/etc/evil", "absolute"},
      {"//evil", "absolute"},
      {"a//b", "empty part"},
      {".//a", "empty part"},
      {"a//", "a size that cannot be"},
      {".hidden", "hidden"},
      {"a/.hidden/b", "hidden"},
      {"a/./b", "hidden"},
      {"././a", "hidden"},
      {"a b", "other characters"},
      {"a\\b", "other characters"},
      {"a\nb", "other characters"},
      {"\x1b[2Jb", "other characters"},
      {"caf\xc3\xa9", "The bundle is refused"},
      {"a:b", "other characters"},
      {"a*", "other characters"},
      {"~root", "other characters"},
      {"$(id)", "other characters"},
      {"a%2fb", "other characters"},
      {"bad\xff.conf", "The bundle is refused"},
      {"", "The bundle is refused"},
  };
  for (const auto& [name, why] : names) {
    INFO(name);
    check_says(refused_entry(tar_file(name, "x")), Code::invalid_bundle, why);
  }
}

TEST_CASE("what is shown of a hostile name neither ends a line nor grows without bound") {
  const Error error = refused_entry(tar_pax({{"path", "\x1b]0;x\x07" + std::string(5000, 'a')}}) + tar_file("x", ""));
  CHECK(error.message.find('\x1b') == std::string::npos);
  CHECK(error.message.size() < 300);
}

TEST_CASE("the path of a pax header or a long-name entry is judged like any other") {
  check_says(refused_entry(tar_pax({{"path", "../evil"}}) + tar_file("good", "x")), Code::invalid_bundle, "climbs out");
  check_says(refused_entry(tar_pax({{"path", "/etc/evil"}}) + tar_file("good", "x")), Code::invalid_bundle, "absolute");
  check_says(refused_entry(tar_pax({{"linkpath", "/etc"}}) + tar({.name = "l", .type = '2', .link = "a"})),
             Code::invalid_bundle, "symbolic link");
  const auto long_name = [](std::string name) {
    return tar({.name = "././@LongLink", .content = std::move(name), .type = 'L'});
  };
  check_says(refused_entry(long_name("../../evil") + tar_file("good", "x")), Code::invalid_bundle, "climbs out");
  check_says(refused_entry(long_name(std::string(2 * kMiB, 'a')) + tar_file("good", "x")), Code::invalid_bundle,
             "The bundle is refused");
  CHECK(accepted(gzip(with_manifest(tar_pax({{"path", "fine.conf"}}) + tar_file("good", "x")))));
}

TEST_CASE("a NUL in a name hides nothing: what stands before it is the whole name") {
  const std::string name("safe.conf\0/../../evil", 21);
  for (const std::string& entry : {tar_pax({{"path", name}}) + tar_file("good", "x"), tar_file(name, "x")}) {
    const Bundle bundle(gzip(with_manifest(entry)));
    if (!bundle.unpack()) continue;
    const auto files = files_below(bundle.target());
    CHECK(files.size() == 2);
    CHECK(files.contains("safe.conf"));
  }
}

TEST_CASE("extended attributes, access lists and sparse files are refused") {
  const auto with_record = [](const std::string& key, const std::string& value) {
    return refused_entry(tar_pax({{key, value}}) + tar_file("a.conf", "0123456789"));
  };
  check_says(with_record("SCHILY.xattr.user.evil", "1"), Code::invalid_bundle, "extended attributes");
  check_says(with_record("LIBARCHIVE.xattr.user.evil", "MQ"), Code::invalid_bundle, "extended attributes");
  check_says(with_record("SCHILY.acl.access", "user::rw-,user:bob:rwx,group::r--,mask::rwx,other::r--"),
             Code::invalid_bundle, "access control list");
  check_says(refused_entry(tar_pax({{"GNU.sparse.major", "0"},
                                    {"GNU.sparse.minor", "1"},
                                    {"GNU.sparse.size", "4000"},
                                    {"GNU.sparse.map", "0,5,3995,5"}}) +
                           tar_file("a.conf", "0123456789")),
             Code::invalid_bundle, "sparse");
}

TEST_CASE("a file that is longer than its bytes is refused as sparse") {
  const auto with_size = [](const std::string& key, const std::string& size) {
    return refused_entry(tar_pax({{key, size}}) + tar_file("a.conf", "0123456789"));
  };
  check_says(with_size("GNU.sparse.realsize", "100"), Code::invalid_bundle, "\"a.conf\" is a sparse file");
  check_says(with_size("GNU.sparse.size", "5"), Code::invalid_bundle, "\"a.conf\"");
  check_says(with_size("GNU.sparse.realsize", "1099511627776"), Code::bundle_too_large, "\"a.conf\" has 1099511627776");
}

// The old GNU form: the map is in the header itself.
TEST_CASE("an old GNU sparse entry of 2^40 bytes is refused") {
  std::string entry = tar({.name = "a.conf", .content = std::string(512, 'x'), .type = 'S'});
  const auto put = [&entry](std::size_t at, std::string_view bytes) { entry.replace(at, bytes.size(), bytes); };
  put(257, std::string_view("ustar  \0", 8));
  put(345, std::string(155, '\0'));
  put(386, "00000000000");
  put(398, "00000001000");
  put(483, "\x80");  // the real size, base 256
  put(489, "\x01");
  put(148, "        ");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(entry[i]);
  std::string digits(6, '0');
  for (std::size_t i = 6; i-- > 0; sum >>= 3) digits[i] = static_cast<char>('0' + (sum & 7));
  put(148, digits + std::string("\0 ", 2));
  check_says(refused_entry(entry), Code::invalid_bundle, "\"a.conf\" is a sparse file");
}

TEST_CASE("a header that claims 2^40 bytes is refused before anything is read for it") {
  const std::string size("\x80\0\0\0\0\0\1\0\0\0\0\0", 12);
  const Error error = refused_entry(tar({.name = "big.conf", .type = '0', .size_field = size}) + tar_file("x", ""));
  check_says(error, Code::bundle_too_large, "\"big.conf\" has 1099511627776 bytes");
  const std::string negative = std::string(11, '\xff') + "\xff";
  refused_entry(tar({.name = "n.conf", .type = '0', .size_field = negative}));
}

TEST_CASE("a name that comes twice is refused, in another case too, and as file and folder") {
  const auto twice = [](const std::string& entries) { return refused_entry(entries); };
  check_says(twice(tar_file("a", "1") + tar_file("a", "2")), Code::invalid_bundle, "\"a\" is there twice");
  check_says(twice(tar_file("a", "1") + tar_file("A", "2")), Code::invalid_bundle, "\"A\" is there twice");
  check_says(twice(tar_file("a", "1") + tar_file("./a", "2")), Code::invalid_bundle, "there twice");
  check_says(twice(tar_folder("d/") + tar_folder("d/")), Code::invalid_bundle, "there twice");
  check_says(twice(tar_folder("d/") + tar_folder("D/")), Code::invalid_bundle, "there twice");
  check_says(twice(tar_file("d", "1") + tar_folder("d/")), Code::invalid_bundle, "there twice");
  check_says(twice(tar_file("d/x", "1") + tar_file("d", "2")), Code::invalid_bundle, "there twice");
  check_says(twice(tar_file("d", "1") + tar_file("d/x", "2")), Code::invalid_bundle, "below a path that is a file");
  check_says(twice(tar_file("d/x", "1") + tar_file("D/y", "2")), Code::invalid_bundle, "in another case");
  check_says(twice(tar_file("MANIFEST.json", "{}")), Code::invalid_bundle, "there twice");
}

TEST_CASE("one gzip member and nothing after it") {
  const std::string good = gzip(hello_tar());
  check_says(refusal(good + gzip(hello_tar())), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + gzip("")), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + "x"), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + std::string(1, '\0')), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + std::string(200'000, '\0')), Code::invalid_bundle, "follows the end of its gzip member");
  // The tar archive split over two members, which gzip itself would join.
  const std::string whole = hello_tar();
  check_says(refusal(gzip(whole.substr(0, 1024)) + gzip(whole.substr(1024))), Code::invalid_bundle,
             "The bundle is refused");
}

TEST_CASE("after the archive's end mark only zeros may follow, and the end mark must be there") {
  CHECK(accepted(gzip(hello_tar() + std::string(8192, '\0'))));
  CHECK(accepted(gzip(hello_tar() + std::string(100'000, '\0'))));
  check_says(refusal(gzip(hello_tar() + "x")), Code::invalid_bundle, "follows the end of its tar archive");
  check_says(refusal(gzip(hello_tar() + std::string(4096, '\0') + "x" + std::string(4096, '\0'))), Code::invalid_bundle,
             "follows the end of its tar archive");
  check_says(refusal(gzip(hello_tar() + tar_file("late.conf", "x") + tar_end())), Code::invalid_bundle,
             "follows the end of its tar archive");
  std::string without_end = hello_tar();
  without_end.resize(without_end.size() - 1024);
  check_says(refusal(gzip(without_end)), Code::invalid_bundle, "end mark is missing");
  check_says(refusal(gzip(without_end + std::string(512, '\0'))), Code::invalid_bundle, "end mark is missing");
  check_says(refusal(gzip(without_end + std::string(1023, '\0'))), Code::invalid_bundle, "end mark is missing");
  CHECK(accepted(gzip(without_end + std::string(1024, '\0'))));
}

TEST_CASE("a bundle cut anywhere is refused and leaves nothing") {
  const std::string whole = gzip(hello_tar() + std::string(20'000, '\0'), Level::stored);
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    INFO(length);
    refusal(whole.substr(0, length));
  }
  refusal(whole.substr(0, whole.size() - 1));
}

TEST_CASE("a tar archive cut anywhere inside a whole gzip member is refused") {
  const std::string whole = hello_tar();
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    INFO(length);
    refusal(gzip(whole.substr(0, length)));
  }
}

TEST_CASE("a wrong check sum of gzip or tar is refused") {
  std::string packed = gzip(hello_tar(), Level::stored);
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  check_says(refusal(packed), Code::invalid_bundle, "no valid gzip file");
  std::string bytes = hello_tar();
  bytes[0] = 'n';
  check_says(refusal(gzip(bytes)), Code::invalid_bundle, "The bundle is refused");
}

TEST_CASE("limit: packed bytes") {
  const std::string packed = gzip(hello_tar());
  CHECK(accepted(packed, {.packed_bytes = packed.size()}));
  CHECK(accepted(packed, {.packed_bytes = packed.size() + 1}));
  check_says(refusal(packed, {.packed_bytes = packed.size() - 1}), Code::bundle_too_large, "more than");
}

TEST_CASE("limit: unpacked bytes") {
  const std::string bytes = hello_tar();
  CHECK(accepted(gzip(bytes), {.unpacked_bytes = bytes.size()}));
  CHECK(accepted(gzip(bytes), {.unpacked_bytes = bytes.size() + 1}));
  check_says(refusal(gzip(bytes), {.unpacked_bytes = bytes.size() - 1}), Code::bundle_too_large,
             "unpacked it has more");
}

TEST_CASE("limit: bytes of a file, the contract's own") {
  const auto of_size = [](std::size_t size) {
    std::string content(size, '\0');
    std::mt19937 random(7);  // so that the ratio is no matter
    for (std::size_t i = 0; i < size; i += 3) content[i] = static_cast<char>(random());
    return gzip(with_manifest(tar_file("big.bin", content)));
  };
  CHECK(accepted(of_size(4 * kMiB - 1)));
  CHECK(accepted(of_size(4 * kMiB)));
  check_says(refusal(of_size(4 * kMiB + 1)), Code::bundle_too_large,
             "\"big.bin\" has 4194305 bytes, more than 4194304");
}

TEST_CASE("limit: bytes of the manifest") {
  const std::string manifest = manifest_for({});
  const auto padded = [&manifest](std::size_t size) {
    return gzip(tar_file("manifest.json", manifest + std::string(size - manifest.size(), ' ')) + tar_end());
  };
  const std::size_t most = BundleLimits().manifest_bytes;
  CHECK(accepted(padded(most - 1)));
  CHECK(accepted(padded(most)));
  check_says(refusal(padded(most + 1)), Code::bundle_too_large, "manifest.json");
}

TEST_CASE("limit: ratio, beyond the first MiB") {
  const auto zeros = [](std::size_t size) {
    return gzip(with_manifest("") + std::string(size - with_manifest("").size(), '\0'), Level::best);
  };
  CHECK(accepted(zeros(kMiB - 1), {.ratio = 0}));
  CHECK(accepted(zeros(kMiB), {.ratio = 0}));
  refusal(zeros(kMiB + 1), {.ratio = 0});
  const std::string packed = zeros(3 * kMiB);
  const std::uint64_t exact = (2 * kMiB + packed.size() - 1) / packed.size();
  CHECK(exact > 100);
  CHECK(accepted(packed, {.ratio = exact + 1}));
  CHECK(accepted(packed, {.ratio = exact}));
  check_says(refusal(packed, {.ratio = exact - 1}), Code::bundle_too_large, "times its size");
  check_says(refusal(packed), Code::bundle_too_large, "more than 100 times its size");
}

TEST_CASE("limit: entries, folders among them") {
  const auto with_entries = [](std::size_t count) {
    std::string entries;
    for (std::size_t i = 1; i < count; ++i) {
      entries += i % 2 == 0 ? tar_file("f" + std::to_string(i), "") : tar_folder("d" + std::to_string(i));
    }
    return gzip(with_manifest(entries));
  };
  CHECK(accepted(with_entries(255)));
  CHECK(accepted(with_entries(256)));
  check_says(refusal(with_entries(257)), Code::bundle_too_large, "more than 256 entries");
}

TEST_CASE("limit: levels") {
  CHECK(accepted(gzip(with_manifest(tar_file("a/b/c", "x")))));
  CHECK(accepted(gzip(with_manifest(tar_file("a/b/c/d", "x") + tar_folder("a/b/c/e/")))));
  check_says(refused_entry(tar_file("a/b/c/d/e", "x")), Code::invalid_bundle, "deeper than 4 levels");
  check_says(refused_entry(tar_folder("a/b/c/d/e/")), Code::invalid_bundle, "deeper than 4 levels");
}

TEST_CASE("limit: bytes of a path") {
  const auto path = [](std::size_t size) { return std::string(120, 'a') + "/" + std::string(size - 121, 'b'); };
  const auto entry = [&path](std::size_t size) { return tar_pax({{"path", path(size)}}) + tar_file("short", "x"); };
  CHECK(accepted(gzip(with_manifest(entry(254)))));
  CHECK(accepted(gzip(with_manifest(entry(255)))));
  check_says(refused_entry(entry(256)), Code::invalid_bundle, "more than 255 bytes");
}

TEST_CASE("a bomb of zeros is refused early") {
  const std::string head = tar_file("manifest.json", manifest_for({}));
  const std::string packed = gzip(head + std::string(96 * kMiB, '\0'), Level::fast);
  check_says(refusal(packed), Code::bundle_too_large, "unpacked it");
  check_says(refusal(packed, {.ratio = 100'000}), Code::bundle_too_large, "more than 67108864 bytes");
}

TEST_CASE("100000 empty entries are refused at the first one too many") {
  std::string entries;
  for (int i = 0; i < 100'000; ++i) entries += tar_file("e" + std::to_string(i), "");
  check_says(refusal(gzip(entries), {.ratio = 100'000}), Code::bundle_too_large, "more than 256 entries");
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
  for (int round = 0; round < (soak ? 300'000 : 3'000); ++round) {
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
