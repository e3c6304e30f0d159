// SHA-256, HMAC, comparison and the two kinds of UUID of seal.h.

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include <array>
#include <stdexcept>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

constexpr std::size_t kUuidBytes = 16;
constexpr std::size_t kSha256Bytes = 32;

// OpenSSL without one of its oldest digests is a broken installation, not something that a caller could handle.
void must(int openssl_answer, const char* what) {
  if (openssl_answer != 1) throw std::runtime_error(std::string("OpenSSL cannot compute ") + what);
}

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

MacContext make_hmac() {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  MacContext context(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);  // the context holds one of its own
  std::string digest = "SHA256";
  const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                              OSSL_PARAM_construct_end()};
  must(context != nullptr ? EVP_MAC_CTX_set_params(context.get(), parameters.data()) : 0, "HMAC-SHA256");
  return context;
}

// Finding an algorithm by its name costs more than computing it: this is done once, and copied for each use. It has no
// key and is never changed, which lets any thread copy it.
const EVP_MAC_CTX* hmac_without_key() {
  static const MacContext context = make_hmac();
  return context.get();
}

// Sets the version and the variant of RFC 9562 and writes the bytes as text.
std::string uuid_text(std::string bytes, unsigned version) {
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0fU) | version << 4U);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3fU) | 0x80U);
  const std::string hex = hex_encode(bytes);
  return hex.substr(0, 8) + '-' + hex.substr(8, 4) + '-' + hex.substr(12, 4) + '-' + hex.substr(16, 4) + '-' +
         hex.substr(20);
}

}  // namespace

std::string random_uuid() {
  std::string bytes(kUuidBytes, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return uuid_text(std::move(bytes), 4);
}

std::string name_uuid(std::string_view name) {
  // 6ba7b810-9dad-11d1-80b4-00c04fd430c8, RFC 9562 §6.6.
  constexpr std::string_view kDnsNamespace{"\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8",
                                           kUuidBytes};
  const std::string input = std::string(kDnsNamespace).append(name);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  must(EVP_Digest(input.data(), input.size(), digest.data(), nullptr, EVP_sha1(), nullptr), "SHA-1");
  return uuid_text(std::string(reinterpret_cast<const char*>(digest.data()), kUuidBytes), 5);
}

struct Sha256::Context {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  Context() { must(digest != nullptr ? 1 : 0, "SHA-256"); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(digest); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  must(EVP_DigestInit_ex(context_->digest, EVP_sha256(), nullptr), "SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  must(EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()), "SHA-256");
}

std::string Sha256::bytes() {
  std::string digest(kSha256Bytes, '\0');
  must(EVP_DigestFinal_ex(context_->digest, reinterpret_cast<unsigned char*>(digest.data()), nullptr), "SHA-256");
  return digest;
}

std::string Sha256::hex() { return hex_encode(bytes()); }

std::string hmac_sha256(std::string_view key, std::string_view text) {
  const MacContext context(EVP_MAC_CTX_dup(hmac_without_key()));
  std::string mac(kSha256Bytes, '\0');
  std::size_t length = 0;
  // Without a pointer OpenSSL would take the key for "as before".
  const std::string_view given = key.empty() ? std::string_view("") : key;
  const bool done =
      context != nullptr &&
      EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(given.data()), given.size(), nullptr) == 1 &&
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
      EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(mac.data()), &length, mac.size()) == 1;
  must(done ? 1 : 0, "HMAC-SHA256");
  return mac;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace leger
