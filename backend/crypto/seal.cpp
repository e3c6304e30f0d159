#include "backend/crypto/seal.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <array>
#include <bit>
#include <climits>
#include <utility>

#include "backend/crypto/gcm.h"

namespace leger {
namespace {

using detail::kNonceBytes;
using detail::kTagBytes;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

// This thread's, which is made once: each use gives it a key and a nonce of its own, and forgets them at the end.
class CipherInUse {
 public:
  CipherInUse() = default;
  CipherInUse(const CipherInUse&) = delete;
  CipherInUse& operator=(const CipherInUse&) = delete;
  ~CipherInUse() {
    if (cipher_ != nullptr) EVP_CIPHER_CTX_reset(cipher_);
  }
  EVP_CIPHER_CTX* get() const { return cipher_; }

 private:
  static EVP_CIPHER_CTX* of_this_thread() {
    thread_local const Cipher cipher(EVP_CIPHER_CTX_new());
    return cipher.get();
  }
  EVP_CIPHER_CTX* cipher_ = of_this_thread();
};

// Finding an algorithm by its name costs as much as a short value: it is done once. Never changed, so any thread may.
const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

unsigned char* writable(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

const unsigned char* readable(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// OpenSSL counts in int.
bool countable(std::string_view bytes) { return bytes.size() <= INT_MAX; }

Error cannot_seal() { return {Code::internal_error, "AES-256-GCM: the value could not be encrypted", {}, {}}; }

// Says nothing about which of the inputs is wrong: that is nobody's business who may have changed one.
Error cannot_open() {
  return {Code::internal_error,
          "AES-256-GCM: the stored value is not what was encrypted, or the key is another",
          "Restore the database and its key file from the same backup.",
          {}};
}

void append_number(std::string& to, std::uint64_t number, std::size_t bytes) {
  static_assert(std::endian::native == std::endian::little);
  const auto all = std::bit_cast<std::array<char, sizeof(number)>>(std::byteswap(number));
  to.append(all.end() - bytes, all.end());
}

void append_counted(std::string& to, std::string_view text) {
  append_number(to, text.size(), 4);
  to += text;
}

// Both of these say whether it was done. The sizes are checked; the outputs have room.

bool encrypt_with_openssl(const Key& key, Sealed& sealed, std::string_view plaintext,
                          std::string_view associated_data) {
  const CipherInUse cipher;
  int written = 0;
  int last = 0;
  return cipher.get() != nullptr &&
         EVP_EncryptInit_ex(cipher.get(), aes_256_gcm(), nullptr, readable(key.reveal()), readable(sealed.nonce)) ==
             1 &&
         EVP_EncryptUpdate(cipher.get(), nullptr, &written, readable(associated_data),
                           static_cast<int>(associated_data.size())) == 1 &&
         EVP_EncryptUpdate(cipher.get(), writable(sealed.ciphertext), &written, readable(plaintext),
                           static_cast<int>(plaintext.size())) == 1 &&
         EVP_EncryptFinal_ex(cipher.get(), writable(sealed.ciphertext) + written, &last) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes), sealed.tag.data()) == 1;
}

bool decrypt_with_openssl(const Key& key, const SealedView& sealed, std::string_view associated_data,
                          std::string& plaintext) {
  std::string tag(sealed.tag);  // OpenSSL takes it through a pointer that is not const
  const CipherInUse cipher;
  int written = 0;
  int last = 0;
  return cipher.get() != nullptr &&
         EVP_DecryptInit_ex(cipher.get(), aes_256_gcm(), nullptr, readable(key.reveal()), readable(sealed.nonce)) ==
             1 &&
         EVP_DecryptUpdate(cipher.get(), nullptr, &written, readable(associated_data),
                           static_cast<int>(associated_data.size())) == 1 &&
         EVP_DecryptUpdate(cipher.get(), writable(plaintext), &written, readable(sealed.ciphertext),
                           static_cast<int>(sealed.ciphertext.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes), tag.data()) == 1 &&
         EVP_DecryptFinal_ex(cipher.get(), writable(plaintext) + written, &last) == 1;
}

}  // namespace

Result<Sealed> detail::seal_under_nonce(const Key& key, std::string nonce, std::string_view plaintext,
                                        std::string_view associated_data, Engine engine) {
  if (nonce.size() != kNonceBytes || !countable(plaintext) || !countable(associated_data)) return Fail(cannot_seal());
  Sealed sealed{std::move(nonce), std::string(plaintext.size(), '\0'), std::string(kTagBytes, '\0')};
  if (engine == Engine::openssl) {
    if (!encrypt_with_openssl(key, sealed, plaintext, associated_data)) return Fail(cannot_seal());
    return sealed;
  }
  const int done = crypto_aead_aes256gcm_encrypt_detached(
      writable(sealed.ciphertext), writable(sealed.tag), nullptr, readable(plaintext), plaintext.size(),
      readable(associated_data), associated_data.size(), nullptr, readable(sealed.nonce), readable(key.reveal()));
  if (done != 0) return Fail(cannot_seal());
  return sealed;
}

Result<Secret> detail::open_with(const Key& key, const SealedView& sealed, std::string_view associated_data,
                                 Engine engine) {
  if (sealed.nonce.size() != kNonceBytes || sealed.tag.size() != kTagBytes) return Fail(cannot_open());
  if (!countable(sealed.ciphertext) || !countable(associated_data)) return Fail(cannot_open());
  Secret plaintext(std::string(sealed.ciphertext.size(), '\0'));
  if (engine == Engine::openssl) {
    if (!decrypt_with_openssl(key, sealed, associated_data, plaintext.buffer())) return Fail(cannot_open());
    return plaintext;
  }
  const int done =
      crypto_aead_aes256gcm_decrypt_detached(writable(plaintext.buffer()), nullptr, readable(sealed.ciphertext),
                                             sealed.ciphertext.size(), readable(sealed.tag), readable(associated_data),
                                             associated_data.size(), readable(sealed.nonce), readable(key.reveal()));
  if (done != 0) return Fail(cannot_open());
  return plaintext;
}

detail::Engine detail::quickest_engine() {
  return crypto_aead_aes256gcm_is_available() == 1 ? Engine::sodium : Engine::openssl;
}

Result<Sealed> seal(const Key& key, std::string_view plaintext, std::string_view associated_data) {
  std::string nonce(kNonceBytes, '\0');
  // The kernel's own, for each nonce anew: a generator of this process would repeat itself in a resumed snapshot.
  randombytes_buf(nonce.data(), nonce.size());
  return detail::seal_under_nonce(key, std::move(nonce), plaintext, associated_data, detail::quickest_engine());
}

Result<Secret> open_sealed(const Key& key, const SealedView& sealed, std::string_view associated_data) {
  return detail::open_with(key, sealed, associated_data, detail::quickest_engine());
}

std::string secret_associated_data(std::string_view user_uuid, std::string_view name, std::uint64_t version,
                                   std::uint32_t key_id) {
  std::string data;
  data.reserve(64 + user_uuid.size() + name.size());
  data += "leger/secret/v2";
  append_counted(data, user_uuid);
  append_counted(data, name);
  append_number(data, version, 8);
  append_number(data, key_id, 4);
  return data;
}

std::string data_key_associated_data(std::uint32_t key_id) {
  std::string data = "leger/dek/v1";
  append_number(data, key_id, 4);
  return data;
}

std::string token_key_associated_data(std::uint32_t key_id) {
  std::string data = "leger/jwt/v1";
  append_number(data, key_id, 4);
  return data;
}

}  // namespace leger
