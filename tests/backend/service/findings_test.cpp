#include "backend/service/findings.h"

#include <doctest/doctest.h>

namespace leger {

TEST_CASE("Flags are accepted by their ids, all of them or none") {
  std::vector<Finding> flags{{.id = "a:x", .level = "flagged", .file = "x", .message = "first"},
                             {.id = "b:", .level = "flagged", .file = "", .message = "second"}};
  CHECK(check_accepted({}, {}));
  CHECK(check_accepted(flags, {"b:", "a:x", "gone:y"}));
  const auto one = check_accepted(flags, {"a:x"});
  REQUIRE_FALSE(one);
  CHECK(one.error().code == Code::confirmation_required);
  CHECK(one.error().message.ends_with("confirmed: second"));
  CHECK(one.error().details == R"([{"id":"b:","level":"flagged","file":"","message":"second"}])");
  const auto none = check_accepted(flags, {});
  REQUIRE_FALSE(none);
  CHECK(none.error().message.ends_with("first (and 1 more)"));
  CHECK(none.error().action.contains("--yes"));
}

TEST_CASE("A refusal lists what is denied") {
  std::vector<Finding> findings;
  deny(findings, "no-unit", "a.container", "it is broken");
  const Error error = refused_release(findings);
  CHECK(error.code == Code::preflight_failed);
  CHECK(error.message == "This release cannot be installed: it is broken");
  CHECK(error.details ==
        R"([{"id":"no-unit:a.container","level":"denied","file":"a.container","message":"it is broken"}])");
}

}  // namespace leger
