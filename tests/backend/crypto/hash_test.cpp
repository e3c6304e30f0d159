#include <doctest/doctest.h>

#include <set>
#include <string>

#include "backend/base/text.h"
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

TEST_CASE("the bytes of a SHA-256 are those of its hex") {
  Sha256 hash;
  hash.update("abc");
  CHECK(hex_encode(hash.bytes()) == sha256("abc"));
}

TEST_CASE("HMAC-SHA256 meets RFC 4231") {
  struct Vector {
    std::string key;
    std::string text;
    const char* mac;
  };
  std::string counting;
  for (char byte = 1; byte <= 25; ++byte) counting += byte;
  const std::string long_key(131, '\xaa');
  for (const Vector& vector : {
           Vector{std::string(20, '\x0b'), "Hi There",
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
           Vector{"Jefe", "what do ya want for nothing?",
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
           Vector{std::string(20, '\xaa'), std::string(50, '\xdd'),
                  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
           Vector{counting, std::string(50, '\xcd'),
                  "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
           Vector{long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
           Vector{long_key,
                  "This is a test using a larger than block-size key and a larger than block-size data. The key needs "
                  "to be hashed before being used by the HMAC algorithm.",
                  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
       }) {
    CHECK(hex_encode(hmac_sha256(vector.key, vector.text)) == vector.mac);
  }
}

TEST_CASE("HMAC-SHA256 of nothing under nothing, after another key") {
  const std::string empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
  CHECK(hmac_sha256("a key", "a text") != hmac_sha256("another key", "a text"));
  CHECK(hex_encode(hmac_sha256("", "")) == empty);
  CHECK(hex_encode(hmac_sha256({}, {})) == empty);
}

TEST_CASE("bytes are compared whole, and those of another size differ") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0b", 3)));
  CHECK_FALSE(equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
  CHECK_FALSE(equal_in_constant_time("a", "ab"));
  CHECK_FALSE(equal_in_constant_time("a", ""));
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
