#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"

// Headers that mean one thing to one reader of tar and another thing to the next.

namespace leger::test {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

// Where a field starts in a header.
constexpr std::size_t kName = 0, kMode = 100, kChecksum = 148, kMagic = 257, kPrefix = 345;

std::string ten_bytes() { return tar_file("a.conf", "0123456789"); }

std::string long_name(char type, std::string name) {
  return tar({.name = "././@LongLink", .content = std::move(name), .type = type});
}

std::string of_size(std::string field) {
  return tar({.name = "n.conf", .type = '0', .size_field = std::move(field)}) + ten_bytes();
}

// Refused by name, and why.
void names_it(const std::string& entry, const std::string& name, std::string_view why) {
  const Error error = refused_entry(entry);
  check_says(error, Code::invalid_bundle, "entry \"" + name + "\"");
  check_says(error, Code::invalid_bundle, why);
}

// Refused by libarchive, whose words are its own; we say behind which entry.
void damaged(const std::string& entry) {
  const Error error = refused_entry(entry);
  check_says(error, Code::invalid_bundle, "The bundle is refused");
  check_says(error, Code::invalid_bundle, "\"manifest.json\"");
}

// What one version of libarchive refuses and another reads: the files are these and no others then.
void at_most(const std::string& entry, const std::map<std::string, std::string>& files) {
  const Bundle bundle(gzip(with_manifest(entry)));
  const auto unpacked = bundle.unpack();
  CHECK(unpacked.has_value() == bundle.check().has_value());
  if (!unpacked) {
    CHECK(name_of(unpacked.error().code) == "invalid_bundle");
    return;
  }
  auto found = files_below(bundle.target());
  CHECK(found.erase("manifest.json") == 1);
  CHECK(found == files);
}

TEST_CASE("each form of GNU's sparse files is refused by name") {
  const auto pax = [](Records records, const std::string& content) {
    return tar_pax(records) + tar_file("GNUSparseFile.0/s.conf", content);
  };
  const auto map = [](std::string text) { return text + std::string(512 - text.size(), '\0') + "hello"; };
  const auto one_zero = [](const std::string& size) {
    return Records{{"GNU.sparse.major", "1"},
                   {"GNU.sparse.minor", "0"},
                   {"GNU.sparse.name", "s.conf"},
                   {"GNU.sparse.realsize", size}};
  };
  names_it(pax(one_zero("100"), map("1\n95\n5\n")), "s.conf", "is a sparse file");
  names_it(pax(one_zero("1099511627776"), map("1\n1099511627771\n5\n")), "s.conf", "is a sparse file");
  // Form 0.0, in which the map is records; those of 0.1 and of the header itself are tested beside these.
  names_it(tar_pax({{"GNU.sparse.size", "4000"},
                    {"GNU.sparse.numblocks", "1"},
                    {"GNU.sparse.offset", "0"},
                    {"GNU.sparse.numbytes", "10"}}) +
               ten_bytes(),
           "a.conf", "is a sparse file");
  // Solaris' form.
  names_it(tar_pax({{"SUN.holesdata", " 0 5 10"}}) + ten_bytes(), "a.conf", "is a sparse file");
  // A whole file in a sparse dress holds what it says.
  at_most(pax(one_zero("5"), map("1\n0\n5\n")), {{"s.conf", "hello"}});
}

TEST_CASE("a name out of any extension is judged, not the one in the header") {
  const auto named = [](const Records& records) { return tar_pax(records) + ten_bytes(); };
  names_it(named({{"GNU.sparse.name", "../evil"}}), "../evil", "climbs out");
  names_it(named({{"path", "good.conf"}, {"path", "../evil"}}), "../evil", "climbs out");
  names_it(named({{"path", "a\x1b[2J"}}), "a\\x1b[2J", "other characters");
  names_it(tar_patched(ten_bytes(), {{kPrefix, "../.."}}), "../../a.conf", "climbs out");
  names_it(tar_patched(ten_bytes(), {{kPrefix, "/etc"}}), "/etc/a.conf", "absolute");
  refused_entry(named({{"path", "a\xff"}}));
  refused_entry(named({{"hdrcharset", "BINARY"}, {"path", "a\xff"}}));
  // Which of two names counts is libarchive's choice; neither leads out.
  at_most(long_name('L', "../evil") + named({{"path", "good.conf"}}), {{"good.conf", "0123456789"}});
  at_most(tar_pax({{"path", "good.conf"}}) + long_name('L', "../evil") + ten_bytes(), {{"good.conf", "0123456789"}});
  at_most(tar_pax({{"path", "../evil"}}, 'g') + ten_bytes(), {{"a.conf", "0123456789"}});
  at_most(named({{"path", ""}}), {{"a.conf", "0123456789"}});
  at_most(named({{"path", std::string("good.conf\0/../evil", 18)}}), {{"good.conf", "0123456789"}});
  at_most(tar_patched(ten_bytes(), {{kName, std::string("a.conf\0/../../evil", 18)}}), {{"a.conf", "0123456789"}});
  at_most(tar_patched(ten_bytes(), {{kName, std::string(100, 'a')}}), {{std::string(100, 'a'), "0123456789"}});
  // In GNU's header the place of the prefix holds times.
  at_most(tar_patched(ten_bytes(), {{kMagic, std::string("ustar  \0", 8)}, {kPrefix, "/etc"}}),
          {{"a.conf", "0123456789"}});
}

TEST_CASE("the target of a link is no matter: a link is refused, and a plain file stays one") {
  const auto link = [](char type, std::string to) { return tar({.name = "l", .type = type, .link = std::move(to)}); };
  names_it(long_name('K', "/etc/passwd") + link('2', "x"), "l", "is a symbolic link");
  names_it(long_name('K', "../../etc/passwd") + link('1', "x"), "l", "is a hard link");
  names_it(tar_pax({{"linkpath", "../.."}}) + link('1', "manifest.json"), "l", "is a hard link");
  names_it(tar({.name = "l", .content = "x", .type = '1', .link = "manifest.json"}), "l", "is a hard link");
  names_it(link('1', "l"), "l", "is a hard link");
  names_it(link('2', ".") + tar({.name = "l/m", .type = '2', .link = ".."}), "l", "is a symbolic link");
  at_most(long_name('K', "/etc/passwd") + ten_bytes(), {{"a.conf", "0123456789"}});
  at_most(tar_pax({{"linkpath", "/etc/passwd"}}) + ten_bytes(), {{"a.conf", "0123456789"}});
}

TEST_CASE("entries of a kind that no tar knows today are plain files or refused, never anything else") {
  for (const char type : std::string("7ADEIMNVXZSK ~")) {
    CAPTURE(type);
    const Bundle bundle(gzip(with_manifest(tar({.name = "odd.conf", .content = "x", .type = type}) + ten_bytes())));
    if (!bundle.unpack()) continue;
    for (const auto& [path, content] : files_below(bundle.target())) {
      CHECK_MESSAGE((path == "manifest.json" || path == "odd.conf" || path == "a.conf"), path);
    }
    CHECK(mode_of(bundle.target() + "/a.conf") == 0600);
  }
  names_it(tar({.name = "odd", .content = "x", .type = 'M'}), "odd", "device, pipe");
  names_it(tar({.name = "odd", .content = "x", .type = 'D'}), "odd", "a size that cannot be");
}

TEST_CASE("sets of rights beyond the mode are refused in each form") {
  const auto with = [](const std::string& key, const std::string& value) {
    return tar_pax({{key, value}}) + ten_bytes();
  };
  names_it(with("SCHILY.acl.default", "user::rw-,group::r--,other::r--"), "a.conf", "access control list");
  names_it(with("SCHILY.acl.ace", "owner@:rwx::allow,user:bob:rwx::allow"), "a.conf", "access control list");
  names_it(with("RHT.security.selinux", "x"), "a.conf", "extended attributes");
  names_it(with("SCHILY.xattr.security.capability", std::string("\1\0\0\2\0\4\0\0", 8)), "a.conf",
           "extended attributes");
  names_it(with("SCHILY.xattr.user.large", std::string(600 << 10, 'x')), "a.conf", "extended attributes");
  // Solaris' list is an entry of its own.
  const std::string list("1000005\0user::rw-,user:bob:rwx,group::r--,mask:rwx,other:r--", 60);
  names_it(tar({.name = "a.conf", .content = list, .type = 'A'}) + ten_bytes(), "a.conf", "access control list");
  names_it(tar({.name = "d/", .type = '5', .mode = 04755}), "d/", "set-user-id");
  names_it(tar_patched(ten_bytes(), {{kMode, "-0000001"}}), "a.conf", "set-user-id");
  // Flags and device numbers for a plain file are not taken over.
  for (const Records& records :
       {Records{{"SCHILY.fflags", "immutable"}}, Records{{"SCHILY.devmajor", "8"}, {"SCHILY.devminor", "1"}},
        Records{{"SCHILY.dev", "8"}, {"SCHILY.ino", "1"}, {"SCHILY.nlink", "2"}}}) {
    at_most(tar_pax(records) + ten_bytes(), {{"a.conf", "0123456789"}});
  }
}

TEST_CASE("what a Mac adds for its own use is hidden, and refused by name") {
  const std::string apple_double = std::string("\0\5\x16\7\0\2\0\0", 8) + std::string(100, 'x');
  names_it(tar_file("._a.conf", apple_double) + ten_bytes(), "._a.conf", "is hidden");
  names_it(tar_file("d/._a.conf", apple_double), "d/._a.conf", "is hidden");
  names_it(tar_file(".DS_Store", "x"), ".DS_Store", "is hidden");
}

TEST_CASE("sizes that cannot be are refused, in the header and in a record") {
  damaged(of_size("-0000000001"));
  damaged(of_size(std::string(12, '\xff')));
  damaged(of_size("\x80" + std::string(11, '\xff')));
  damaged(of_size(std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)));
  for (const char* size : {"-1", "99999999999999999999999999"}) damaged(tar_pax({{"size", size}}) + ten_bytes());
  check_says(refused_entry(tar_pax({{"size", "1099511627776"}}) + ten_bytes()), Code::bundle_too_large,
             "\"a.conf\" has 1099511627776 bytes");
  refused_entry(tar({.name = "d/", .content = "abc", .type = '5'}));
  const std::string five("\x80\0\0\0\0\0\0\0\0\0\0\5", 12);
  CHECK(accepted(gzip(with_manifest(tar({.name = "n.conf", .content = "hello", .type = '0', .size_field = five})))));
  at_most(of_size("zzzzzzzzzzz "), {{"n.conf", ""}, {"a.conf", "0123456789"}});
  at_most(of_size(std::string(12, ' ')), {{"n.conf", ""}, {"a.conf", "0123456789"}});
}

TEST_CASE("a header whose check sum is wrong is refused") {
  for (const std::string& sum : {std::string("7777777"), std::string(8, ' '), std::string(8, '\0')}) {
    std::string entry = ten_bytes();
    damaged(entry.replace(kChecksum, sum.size(), sum));
  }
  std::string entry = ten_bytes();
  entry[kName] = 'b';
  damaged(entry);
  // A block of zeros between two entries ends the archive.
  check_says(refused_entry(std::string(512, '\0') + ten_bytes()), Code::invalid_bundle, "follows the end");
}

TEST_CASE("malformed records of a pax header are refused") {
  for (const char* records : {"0 path=evil\n", "99999999999 path=evil\n", "5 path=evil\n", "10 patheva\n",
                              "11 path=eviX", "xx path=evil\n", "-11 path=ev\n"}) {
    CAPTURE(records);
    at_most(tar({.name = "PaxHeaders/x", .content = records, .type = 'x'}) + ten_bytes(), {{"a.conf", "0123456789"}});
  }
  damaged(tar_pax({{"path", "a"}}));  // for no entry
  damaged(long_name('L', "a"));
}

TEST_CASE("headers about headers are bounded in size and number") {
  const std::string huge("\x80\0\0\0\x40\0\0\0\0\0\0\0", 12);
  for (const char type : {'L', 'K', 'x'}) {
    CAPTURE(type);
    for (const std::string& size : {std::string("77777777777"), huge}) {
      damaged(tar({.name = "odd", .content = "a", .type = type, .size_field = size}) + ten_bytes());
    }
  }
  refused_entry(tar_pax({{"SCHILY.xattr.user.x", std::string(3 * kMiB, 'x')}}) + ten_bytes());
  const auto thousand = [](const std::string& header) {
    std::string all;
    for (int i = 0; i < 1000; ++i) all += header;
    return all + ten_bytes();
  };
  at_most(thousand(tar_pax({{"comment", "x"}}, 'g')), {{"a.conf", "0123456789"}});
  at_most(thousand(tar_pax({{"comment", "x"}})), {{"a.conf", "0123456789"}});
  at_most(thousand(long_name('L', "a.conf")), {{"a.conf", "0123456789"}});
}

}  // namespace
}  // namespace leger::test
