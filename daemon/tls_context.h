#pragma once

// What a TLS door shows and accepts: one certificate with its key, and the rules of every connection made from it: TLS
// 1.2 and 1.3, AEAD suites with forward secrecy, HTTP/1.1. Shared by the connections that were made from it, so that a
// renewed certificate takes nothing away from them. Loop thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/error.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace leger {

// PEM texts, and what an error calls them: a path, or who they came from. Both may be the same text. The key's bytes
// belong to the caller, who wipes them.
struct TlsPair {
  std::string_view chain;  // the server's own certificate first
  std::string chain_name;
  std::string_view key;
  std::string key_name;
};

class TlsContext {
 public:
  // invalid_request names the text and what is wrong: no certificate, no key, a key that needs a passphrase (nobody is
  // asked for one), the key of another certificate. An expired certificate is taken: see not_after().
  static Result<std::shared_ptr<TlsContext>> make(const TlsPair& pair);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext() = default;

  ssl_ctx_st* get() const { return context_.get(); }

  // Seconds since 1970 between which the certificate is valid.
  std::int64_t not_before() const { return not_before_; }
  std::int64_t not_after() const { return not_after_; }
  // SHA-256 of the certificate, in hexadecimal.
  const std::string& fingerprint() const { return fingerprint_; }

  // Session tickets from now on are sealed under new keys; those handed out before cost their clients a whole
  // handshake. OpenSSL itself never changes the keys of a context.
  void change_ticket_keys();

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  TlsContext() = default;

  std::unique_ptr<ssl_ctx_st, Free> context_;
  std::int64_t not_before_ = 0;
  std::int64_t not_after_ = 0;
  std::string fingerprint_;
};

}  // namespace leger
