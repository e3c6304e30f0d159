#include "cli/pkce.h"

#include <doctest/doctest.h>

#include <string>

namespace leger {
namespace {

TEST_CASE("the challenge of RFC 7636 appendix B comes out") {
  CHECK(challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_CASE("verifiers are 43 characters of base64url, another one each time") {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int i = 0; i < 50; ++i) {
    const Pkce one = make_pkce();
    CHECK(one.verifier.reveal().size() == 43);
    CHECK(one.verifier.reveal().find_first_not_of(alphabet) == std::string_view::npos);
    CHECK(one.challenge == challenge_of(one.verifier.reveal()));
    CHECK(one.verifier.reveal() != make_pkce().verifier.reveal());
  }
  CHECK(random_text() != random_text());
}

}  // namespace
}  // namespace leger
