#include "quadlets/manifest.h"

#include <doctest/doctest.h>

#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

void check_refused(const std::string& text, std::string_view part) {
  const auto manifest = parse_manifest(text);
  REQUIRE_MESSAGE(!manifest.has_value(), text);
  CHECK(name_of(manifest.error().code) == "invalid_bundle");
  CHECK_MESSAGE(manifest.error().message.find(part) != std::string::npos, manifest.error().message);
  CHECK_FALSE(manifest.error().action.empty());
}

std::string with_files(const std::string& files) { return R"({"deployment_name":"app","files":)" + files + "}"; }

std::string with_field(const std::string& field) { return R"({"deployment_name":"app","files":[],)" + field + "}"; }

TEST_CASE("names of deployments") {
  for (const char* good : {"a", "a1", "1a", "hello-world_2", "0-0", "latest2"})
    CHECK_MESSAGE(is_deployment_name(good), good);
  for (const char* bad :
       {"", "1", "123", "latest", "-a", "_a", "A", "aB", "a.b", "a/b", "a b", "..", "a\n", "\xc3\xa9"}) {
    CHECK_FALSE_MESSAGE(is_deployment_name(bad), bad);
  }
  CHECK(is_deployment_name(std::string(62, 'a')));
  CHECK(is_deployment_name(std::string(63, 'a')));
  CHECK_FALSE(is_deployment_name(std::string(64, 'a')));
}

TEST_CASE("names of secrets") {
  for (const char* good : {"a", "_", "A.b:c-d_1", "9", "lists", "List"}) CHECK_MESSAGE(is_secret_name(good), good);
  for (const char* bad : {"", "list", "set", "get", "sync", ".a", ":a", "-a", "a/b", "a b", "a,b", "a=b", "\xc3\xa9"}) {
    CHECK_FALSE_MESSAGE(is_secret_name(bad), bad);
  }
  CHECK(is_secret_name(std::string(63, 'a')));
  CHECK(is_secret_name(std::string(64, 'a')));
  CHECK_FALSE(is_secret_name(std::string(65, 'a')));
}

TEST_CASE("endings of quadlets") {
  for (const char* good :
       {"a.container", "d/a.volume", "a.network", "a.pod", "a.kube", "a.image", "a.build", "a.artifact"}) {
    CHECK_MESSAGE(is_quadlet(good), good);
  }
  for (const char* bad :
       {"", "container", "a.containers", "a.container.d/10.conf", "a.Container", "a.service", "a.conf"}) {
    CHECK_FALSE_MESSAGE(is_quadlet(bad), bad);
  }
}

TEST_CASE("the manifest of the contract is read, unknown fields and its version do not matter") {
  const auto manifest = parse_manifest(manifest_for({"./a.container", "conf/b"}));
  REQUIRE(manifest.has_value());
  CHECK(manifest->files == std::vector<std::string>{"a.container", "conf/b"});
  CHECK(parse_manifest(with_field(R"("version":"not a number","colour":"red")")).has_value());
  const auto small = parse_manifest(with_files("[]"));
  REQUIRE(small.has_value());
  CHECK(small->services.empty());
  CHECK(small->secrets_required.empty());
}

TEST_CASE("a service may lack type and image, not a name") {
  const auto manifest = parse_manifest(with_field(R"("services":[{"name":"net","image":null}])"));
  REQUIRE(manifest.has_value());
  CHECK(manifest->services.at(0).image.empty());
  check_refused(with_field(R"("services":[{"type":"container"}])"), "without a \"name\"");
  check_refused(with_field(R"("services":[{"name":""}])"), "without a \"name\"");
  check_refused(with_field(R"("services":[{"name":"a","image":7}])"), "\"a\", whose type or image is no text");
}

TEST_CASE("what is no manifest is refused, with the field that is wrong") {
  check_refused("", "cannot be read");
  check_refused("{", "cannot be read");
  check_refused("[]", "no JSON object");
  check_refused("null", "no JSON object");
  check_refused(std::string(1000, '['), "cannot be read");
  check_refused("{\"deployment_name\":\"\xff\"}", "cannot be read");
  check_refused(R"({"deployment_name":"a","deployment_name":"b","files":[]})", "twice");
  check_refused(R"({"files":[]})", "\"deployment_name\" is missing");
  check_refused(R"({"deployment_name":7,"files":[]})", "\"deployment_name\" is missing or no text");
  check_refused(R"({"deployment_name":"../up","files":[]})", "a name is");
  check_refused(R"({"deployment_name":"app"})", "\"files\" is missing");
  check_refused(with_files(R"("a")"), "\"files\" must be a list");
  check_refused(with_files(R"([1])"), "\"files\" must be a list");
  check_refused(with_files(R"(["a","./a"])"), "twice");
  check_refused(with_files(R"(["../a"])"), "climbs out");
  check_refused(with_files(R"(["/a"])"), "absolute");
  check_refused(with_files(R"([""])"), "names no file");
  check_refused(with_files(R"(["./"])"), "names no file");
  check_refused(with_files(R"(["a\u0000b"])"), "other characters");
  check_refused(with_field(R"("services":{})"), "\"services\" must be a list");
  check_refused(with_field(R"("services":[1])"), "\"services\" must be a list");
  check_refused(with_field(R"("secrets_required":"a")"), "\"secrets_required\" must be a list");
  check_refused(with_field(R"("secrets_required":["a",null])"), "\"secrets_required\" must be a list");
  check_refused(with_field(R"("secrets_required":["bad name"])"), "no secret's name");
}

TEST_CASE("a refusal shows hostile text escaped") {
  const auto manifest = parse_manifest(R"({"deployment_name":"\u001b[2J\n","files":[]})");
  REQUIRE_FALSE(manifest.has_value());
  CHECK(manifest.error().message.find('\x1b') == std::string::npos);
  CHECK(manifest.error().message.find('\n') == std::string::npos);
}

}  // namespace
}  // namespace leger::test
