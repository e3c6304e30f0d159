#include <doctest/doctest.h>

#include <set>
#include <string>

#include "backend/crypto/seal.h"

using namespace leger;

namespace {

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

}  // namespace

TEST_CASE("SHA-256 meets the examples of FIPS 180-4") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not see how its input was cut") {
  Sha256 hash;
  for (const char letter : {'a', 'b', 'c'}) hash.update({&letter, 1});
  hash.update("");
  CHECK(hash.hex() == sha256("abc"));
}

TEST_CASE("a name's UUID is the version 5 of the DNS namespace") {
  CHECK(name_uuid("www.example.com") == "2ed6657d-e927-568b-95e1-2665a8aea6a2");  // RFC 9562, appendix A.4
  CHECK(name_uuid("123456789") != name_uuid("u123456789"));
}

TEST_CASE("random UUIDs are of version 4 and do not repeat") {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string uuid = random_uuid();
    REQUIRE(uuid.size() == 36);
    REQUIRE(uuid.find_first_not_of("0123456789abcdef-") == std::string::npos);
    REQUIRE(uuid[14] == '4');
    REQUIRE(std::string("89ab").find(uuid[19]) != std::string::npos);
    seen.insert(uuid);
  }
  CHECK(seen.size() == 10'000);
}
