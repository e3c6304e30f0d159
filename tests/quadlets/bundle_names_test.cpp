#include "quadlets/bundle.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"

namespace leger::test {
namespace {

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

}  // namespace
}  // namespace leger::test
