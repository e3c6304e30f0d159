#include "backend/crypto/seal.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/base/text.h"
#include "backend/crypto/gcm.h"

using namespace leger;
using namespace std::string_literals;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

Key key_of(std::string_view hex) { return Key::from_bytes(from_hex(hex)).value(); }

struct Vector {
  const char* key;
  const char* nonce;
  const char* plaintext;
  const char* associated_data;
  const char* ciphertext;
  const char* tag;
};

// The 256-bit cases of "The Galois/Counter Mode of Operation" (McGrew, Viega), which NIST SP 800-38D refers to.
constexpr Vector kVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "00000000000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a6"
     "37b391aafd255",
     "",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc"
     "9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a6"
     "37b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc"
     "9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    // The first cases of NIST's CAVP file gcmEncryptExtIV256.rsp without a text, with one, and with one and AAD.
    {"b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4", "516c33929df5a3284ff463d7", "", "", "",
     "bdc1ac884d332457a1d2664f168c76f0"},
    {"31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22", "0d18e06c7c725ac9e362e1ce",
     "2db5168e932556f8089a0622981d017d", "", "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489"},
    {"92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b", "ac93a1a6145299bde902f21a",
     "2d71bcfa914e4ac045b2aa60955fad24", "1e0889016f67601c8ebea4943bc23ad6", "8995ae2e6df3dbf96fac7b7137bae67f",
     "eca5aa77d51d4a0a14d9c51e1da474ab"},
};

void flip(std::string& bytes, std::size_t bit) { bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8)); }

// The sum of the bits of `field` whose change goes unnoticed.
template <class Open>
int unnoticed(std::string& field, const Open& open) {
  int count = 0;
  for (std::size_t bit = 0; bit < field.size() * 8; ++bit) {
    flip(field, bit);
    if (open()) ++count;
    flip(field, bit);
  }
  return count;
}

// Both, where this processor can do both.
std::vector<detail::Engine> engines() {
  std::vector<detail::Engine> engines{detail::Engine::openssl};
  if (detail::quickest_engine() == detail::Engine::sodium) engines.push_back(detail::Engine::sodium);
  return engines;
}

}  // namespace

TEST_CASE("published vectors of AES-256-GCM are met in both directions, whoever computes") {
  for (const Vector& vector : kVectors) {
    const Key key = key_of(vector.key);
    for (const detail::Engine engine : engines()) {
      const auto sealed = detail::seal_under_nonce(key, from_hex(vector.nonce), from_hex(vector.plaintext),
                                                   from_hex(vector.associated_data), engine);
      REQUIRE(sealed.has_value());
      CHECK(hex_encode(sealed->ciphertext) == vector.ciphertext);
      CHECK(hex_encode(sealed->tag) == vector.tag);
      const auto opened = detail::open_with(key, *sealed, from_hex(vector.associated_data), engine);
      REQUIRE(opened.has_value());
      CHECK(hex_encode(opened->reveal()) == vector.plaintext);
    }
  }
}

TEST_CASE("what was sealed opens again, of any size and with any bytes") {
  const Key key = Key::random();
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 4096U, 511'999U}) {
    std::string plaintext(size, '\0');
    for (std::size_t i = 0; i < size; ++i) plaintext[i] = static_cast<char>(i * 7);
    const auto sealed = seal(key, plaintext, "bound");
    REQUIRE(sealed.has_value());
    CHECK(sealed->nonce.size() == 12);
    CHECK(sealed->tag.size() == 16);
    CHECK(sealed->ciphertext.size() == size);
    const auto opened = open_sealed(key, *sealed, "bound");
    REQUIRE(opened.has_value());
    CHECK(opened->reveal() == plaintext);
  }
}

TEST_CASE("every single bit of nonce, ciphertext, tag, associated data and key counts") {
  std::string key_bytes(32, 'k');
  std::string bound = secret_associated_data("550e8400-e29b-41d4-a716-446655440000", "test_key", 3, 1);
  const Key key = Key::from_bytes(key_bytes).value();
  Sealed sealed = seal(key, "test123 and somewhat more", bound).value();
  for (const detail::Engine engine : engines()) {
    const auto opens_with = [&](const Key& with) { return detail::open_with(with, sealed, bound, engine).has_value(); };
    const auto open = [&] { return opens_with(key); };
    CHECK(open());
    CHECK(unnoticed(sealed.nonce, open) == 0);
    CHECK(unnoticed(sealed.ciphertext, open) == 0);
    CHECK(unnoticed(sealed.tag, open) == 0);
    CHECK(unnoticed(bound, open) == 0);
    CHECK(unnoticed(key_bytes, [&] { return opens_with(Key::from_bytes(key_bytes).value()); }) == 0);
    CHECK(open());
  }
}

TEST_CASE("a field that was cut, emptied or grew is refused") {
  const Key key = Key::random();
  const Sealed sealed = seal(key, "0123456789", "bound").value();
  for (std::string Sealed::* field : {&Sealed::nonce, &Sealed::ciphertext, &Sealed::tag}) {
    for (std::size_t size = 0; size < (sealed.*field).size(); ++size) {
      Sealed cut = sealed;
      (cut.*field).resize(size);
      CHECK_FALSE(open_sealed(key, cut, "bound").has_value());
    }
    Sealed longer = sealed;
    (longer.*field) += '\0';
    CHECK_FALSE(open_sealed(key, longer, "bound").has_value());
  }
}

TEST_CASE("the error of a value that does not open names neither the value nor the reason") {
  const Key key = Key::random();
  Sealed sealed = seal(key, "canary-plaintext", "bound").value();
  const auto other_data = open_sealed(key, sealed, "other");
  sealed.tag[0] = static_cast<char>(sealed.tag[0] ^ 1);
  const auto other_tag = open_sealed(key, sealed, "bound");
  REQUIRE_FALSE(other_data.has_value());
  REQUIRE_FALSE(other_tag.has_value());
  CHECK(other_data.error().code == Code::internal_error);
  CHECK(other_data.error().message == other_tag.error().message);
  CHECK(other_data.error().message.find("canary") == std::string::npos);
}

TEST_CASE("a nonce of another length than 96 bits is refused") {
  const Key key = Key::random();
  for (const std::size_t size : {0U, 8U, 11U, 13U, 16U}) {
    for (const detail::Engine engine : engines()) {
      CHECK_FALSE(detail::seal_under_nonce(key, std::string(size, 'n'), "x", "", engine).has_value());
    }
  }
}

TEST_CASE("nonces do not repeat") {
  const std::size_t number = std::getenv("LEGER_SOAK") == nullptr ? 200'000 : 10'000'000;
  const Key key = Key::random();
  std::vector<std::string> nonces;
  nonces.reserve(number);
  for (std::size_t i = 0; i < number; ++i) nonces.push_back(seal(key, "x", "").value().nonce);
  std::ranges::sort(nonces);
  CHECK(std::ranges::adjacent_find(nonces) == nonces.end());
}

TEST_CASE("the associated data of a secret is as threats T27 writes it") {
  CHECK(secret_associated_data("ab", "c", 0x0102030405060708, 0x0a0b0c0d) ==
        "leger/secret/v2\0\0\0\2ab\0\0\0\1c\1\2\3\4\5\6\7\x8\x0a\x0b\x0c\x0d"s);
  CHECK(data_key_associated_data(0x01020304) == "leger/dek/v1\1\2\3\4"s);
  CHECK(token_key_associated_data(0x01020304) == "leger/jwt/v1\1\2\3\4"s);
}

TEST_CASE("associated data tells apart what merely joins to the same text") {
  CHECK(secret_associated_data("ab", "c", 1, 1) != secret_associated_data("a", "bc", 1, 1));
  CHECK(secret_associated_data("a", "b", 1, 2) != secret_associated_data("a", "b", 2, 1));
}
