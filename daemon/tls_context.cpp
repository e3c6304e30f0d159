#include "daemon/tls_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMostBytes = 256 * 1024;  // of a PEM text
constexpr std::size_t kMostCertificates = 10;   // of a chain
constexpr long kTicketSeconds = 3600;
constexpr std::size_t kTicketsPerHandshake = 1;
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
constexpr std::string_view kProtocol = "\x08http/1.1";  // as ALPN has it: its length, then its name

template <auto free_object>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free_object(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Chain = std::vector<Certificate>;

// OpenSSL's queue of errors belongs to the thread: it is empty before and after whatever is tried here.
struct ErrorQueue {
  ErrorQueue() { ERR_clear_error(); }
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
  ~ErrorQueue() { ERR_clear_error(); }
  std::string reason() const {
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    return text == nullptr ? "OpenSSL does not say why" : text;
  }
};

Fail wrong(const std::string& name, const std::string& what, std::string action) {
  return Fail({Code::invalid_request, name + ": " + what, std::move(action), {}});
}

Bio reader_of(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// OpenSSL's own way is to ask on the terminal.
int refuse_passphrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

// Block by block, so that a key in the same text is not even decoded.
Result<Chain> read_chain(const TlsPair& pair) {
  const ErrorQueue errors;
  Chain chain;
  std::string_view rest = pair.chain;
  for (std::size_t begin = rest.find(kBegin); begin != std::string_view::npos; begin = rest.find(kBegin)) {
    rest.remove_prefix(begin);
    const std::size_t size = std::min(rest.find(kEnd), rest.size() - kEnd.size()) + kEnd.size();
    const Bio bio = reader_of(rest.substr(0, size));
    bool was_asked = false;
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, refuse_passphrase, &was_asked));
    if (!certificate) {
      return wrong(pair.chain_name,
                   "certificate " + std::to_string(chain.size() + 1) + " cannot be read: " + errors.reason() + ".",
                   "Put the certificate there again, in PEM, with the certificates of its issuers behind it.");
    }
    if (chain.size() == kMostCertificates) {
      return wrong(pair.chain_name, "holds more than " + std::to_string(kMostCertificates) + " certificates.",
                   "Leave the server's own certificate there and those of its issuers.");
    }
    chain.push_back(std::move(certificate));
    rest.remove_prefix(size);
  }
  if (!chain.empty()) return chain;
  return wrong(pair.chain_name, "is not a certificate in PEM: there is no line " + std::string(kBegin) + ".",
               "Put the server's certificate there, with the certificates of its issuers behind it.");
}

Result<PrivateKey> read_key(const TlsPair& pair) {
  const ErrorQueue errors;
  const Bio bio = reader_of(pair.key);
  bool was_asked = false;
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &was_asked));
  if (key) return key;
  if (was_asked) {
    return wrong(pair.key_name, "the key is encrypted with a passphrase, and nobody is there to type it.",
                 "Write it without one: (umask 077; openssl pkey -in ENCRYPTED -out KEY)");
  }
  return wrong(pair.key_name, "is not a private key in PEM: " + errors.reason() + ".",
               "Put the private key of the certificate there.");
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return timegm(&parts);
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  return hex_encode({reinterpret_cast<const char*>(digest.data()), size});
}

// A client that offers protocols but not ours is refused, as RFC 7301 §3.2 wants; one that offers none speaks HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocol.data());
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, chosen_size, ours, static_cast<unsigned>(kProtocol.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The rules that hold for every connection; false where this OpenSSL does not know one of them.
bool set_rules(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  // Idle connections keep no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Tickets are the client's to keep: nothing is stored here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, kTicketSeconds);
  SSL_CTX_set_num_tickets(context, kTicketsPerHandshake);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
         SSL_CTX_set_ciphersuites(context,
                                  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1;
}

Result<void> use_pair(SSL_CTX* context, const TlsPair& pair, const Chain& chain, EVP_PKEY* key) {
  const ErrorQueue errors;
  if (X509_check_private_key(chain.front().get(), key) != 1) {
    return wrong(pair.key_name, "is the key of another certificate than " + pair.chain_name + ".",
                 "Put the certificate and the key that belongs to it there.");
  }
  bool used = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
  for (std::size_t i = 1; used && i < chain.size(); ++i) {
    used = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  if (!used) {
    return wrong(pair.chain_name, "cannot be used: " + errors.reason() + ".",
                 "Get a certificate with a key of 2048 bits RSA or more, or of the curve P-256.");
  }
  if (SSL_CTX_use_PrivateKey(context, key) == 1) return {};
  return wrong(pair.key_name, "cannot be used: " + errors.reason() + ".", {});
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<TlsContext>> TlsContext::make(const TlsPair& pair) {
  for (const auto& [text, name] : {std::pair(pair.chain, &pair.chain_name), std::pair(pair.key, &pair.key_name)}) {
    if (text.size() <= kMostBytes) continue;
    return wrong(*name, "is larger than " + std::to_string(kMostBytes) + " bytes.", {});
  }
  auto chain = read_chain(pair);
  if (!chain) return Fail(chain.error());
  const auto key = read_key(pair);
  if (!key) return Fail(key.error());
  std::shared_ptr<TlsContext> made(new TlsContext());
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  if (!made->context_ || !set_rules(made->context_.get())) {
    ERR_clear_error();
    return Fail({Code::internal_error, "OpenSSL cannot be set up for TLS 1.2 and 1.3.", {}, {}});
  }
  auto used = use_pair(made->context_.get(), pair, *chain, key->get());
  if (!used) return Fail(used.error());
  const X509* own = chain->front().get();
  made->not_before_ = seconds_of(X509_get0_notBefore(own));
  made->not_after_ = seconds_of(X509_get0_notAfter(own));
  made->fingerprint_ = fingerprint_of(own);
  return made;
}

void TlsContext::change_ticket_keys() {
  std::array<unsigned char, 80> keys{};  // its name, and the keys of HMAC and AES-256
  if (RAND_bytes(keys.data(), static_cast<int>(keys.size())) == 1) {
    SSL_CTX_set_tlsext_ticket_keys(context_.get(), keys.data(), static_cast<long>(keys.size()));
  }
  OPENSSL_cleanse(keys.data(), keys.size());
  ERR_clear_error();
}

}  // namespace leger
