#include "daemon/install_request.h"

#include <doctest/doctest.h>

#include <string>

namespace leger::test {
namespace {

Result<InstallRequest> read(const char* body) { return read_install_request(Json::parse(body)); }

TEST_CASE("an install is of a version or of a plan, and agrees to nothing that is not said") {
  const auto version = read(R"({"version":3})");
  REQUIRE(version);
  CHECK(version->version == 3);
  CHECK(version->options.plan_id.empty());
  CHECK(version->options.accept_flags.empty());
  CHECK(version->options.adopt == Adopt::no);
  CHECK(version->options.retry == Retry::no);
  const auto plan = read(R"({"plan_id":"p","accept_flags":["a:b","c:"],"adopt":true,"retry":true})");
  REQUIRE(plan);
  CHECK_FALSE(plan->version);
  CHECK(plan->options.plan_id == "p");
  CHECK(plan->options.accept_flags == std::vector<std::string>{"a:b", "c:"});
  CHECK(plan->options.adopt == Adopt::yes);
  CHECK(plan->options.retry == Retry::yes);
  CHECK(read(R"({"version":3,"accept_flags":["a"],"adopt":false})")->options.accept_flags.size() == 1);
}

TEST_CASE("a body that is not clear is refused with the field's name") {
  struct Line {
    const char* body;
    const char* field;
  };
  for (const Line& line :
       {Line{R"({})", "\"version\""}, Line{R"({"version":"3"})", "\"version\""},
        Line{R"({"version":3,"plan_id":"p"})", "\"plan_id\""}, Line{R"({"plan_id":""})", "\"plan_id\""},
        Line{R"({"plan_id":7})", "\"plan_id\""}, Line{R"({"plan_id":null,"version":1})", "\"plan_id\""},
        Line{R"({"version":3,"accept_flags":"a"})", "\"accept_flags\""},
        Line{R"({"version":3,"accept_flags":[7]})", "\"accept_flags\""},
        Line{R"({"version":3,"adopt":1})", "\"adopt\""}, Line{R"({"version":3,"retry":"yes"})", "\"retry\""}}) {
    CAPTURE(line.body);
    const auto request = read(line.body);
    REQUIRE_FALSE(request);
    CHECK(request.error().code == Code::invalid_request);
    CHECK(request.error().message.contains(line.field));
  }
}

}  // namespace
}  // namespace leger::test
