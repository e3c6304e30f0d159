#include "quadlets/bundle.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"

namespace leger::test {
namespace {

// Where a field starts in a header.
constexpr std::size_t kMagic = 257;

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
  const std::string entry = tar_patched(tar({.name = "a.conf", .content = std::string(512, 'x'), .type = 'S'}),
                                        {{kMagic, std::string("ustar  \0", 8)},
                                         {345, std::string(155, '\0')},
                                         {386, "00000000000"},
                                         {398, "00000001000"},
                                         {483, std::string("\x80\0\0\0\0\0\1", 7)}});  // the real size, base 256
  check_says(refused_entry(entry), Code::invalid_bundle, "\"a.conf\" is a sparse file");
}

TEST_CASE("a header that claims 2^40 bytes is refused before anything is read for it") {
  const std::string size("\x80\0\0\0\0\0\1\0\0\0\0\0", 12);
  const Error error = refused_entry(tar({.name = "big.conf", .type = '0', .size_field = size}) + tar_file("x", ""));
  check_says(error, Code::bundle_too_large, "\"big.conf\" has 1099511627776 bytes");
  const std::string negative = std::string(11, '\xff') + "\xff";
  refused_entry(tar({.name = "n.conf", .type = '0', .size_field = negative}));
}

}  // namespace
}  // namespace leger::test
