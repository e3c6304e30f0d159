#include "backend/store/audit_chain.h"

#include <openssl/evp.h>

#include <memory>
#include <new>

namespace leger {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

constexpr std::size_t kHashBytes = 32;

// OpenSSL's, which uses what the processor has for it. Finding an algorithm by its name costs as much as a row: once.
std::string sha256(std::string_view text) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  std::string hash(kHashBytes, '\0');
  const bool done = context != nullptr && EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()), nullptr) == 1;
  if (!done) throw std::bad_alloc();  // nothing else is in its way
  return hash;
}

}  // namespace

std::string audit_hash(std::string_view hash_before, std::uint64_t id, std::string_view record) {
  thread_local std::string text;  // keeps its room from row to row
  text = "leger/audit/v1";
  text += hash_before;
  append_u64(text, id);
  text += record;
  return sha256(text);
}

std::string audit_hash(std::string_view hash_before, std::uint64_t id, const AuditRecord& record) {
  std::string bytes;
  append_bytes(bytes, record);
  return audit_hash(hash_before, id, bytes);
}

}  // namespace leger
