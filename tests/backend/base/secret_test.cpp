#include "backend/base/secret.h"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <utility>

namespace leger {
namespace {

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);

TEST_CASE("a secret is moved, and nothing stays behind, short or long") {
  for (const std::size_t size : {5U, 5000U}) {
    Secret from(std::string(size, 's'));
    const char* bytes = from.reveal().data();
    const Secret to(std::move(from));
    CHECK(to.reveal() == std::string(size, 's'));
    // A long one keeps its buffer, which is the new owner's to wipe; a short one was copied out of the old owner.
    if (to.reveal().data() == bytes) continue;
    CHECK(std::string(bytes, size) == std::string(size, '\0'));  // NOLINT(bugprone-use-after-move): what it is about
  }
}

TEST_CASE("a secret survives being moved onto itself") {
  Secret secret(std::string("value"));
  Secret& same = secret;
  secret = std::move(same);
  CHECK(secret.reveal() == "value");
}

TEST_CASE("wiped text is empty and its bytes are zero") {
  std::string text(100, 's');
  const char* bytes = text.data();
  wipe(text);
  CHECK(text.empty());
  CHECK(bytes[50] == '\0');
}

}  // namespace
}  // namespace leger
