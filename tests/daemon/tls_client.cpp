#include "tests/daemon/tls_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace leger::test {
namespace {

// OpenSSL 3 offers nothing before TLS 1.2 unless it is told to.
constexpr std::string_view kEverything = "ALL:@SECLEVEL=0";

}  // namespace

TlsClient::TlsClient(Client raw, const TlsWish& wish)
    : raw_(std::move(raw)), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, wish.least_version);
  SSL_CTX_set_max_proto_version(context, wish.most_version);
  const std::string ciphers = wish.ciphers.empty() ? std::string(kEverything) : wish.ciphers + ":@SECLEVEL=0";
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1) throw std::invalid_argument("no such ciphers");
  if (!wish.protocols.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wish.protocols.data()),
                            static_cast<unsigned>(wish.protocols.size()));
  }
  ssl_.reset(SSL_new(context));
  if (wish.session) SSL_set_session(ssl_.get(), wish.session.get());
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
}

TlsClient::~TlsClient() = default;

void TlsClient::flush() {
  std::array<char, 16384> bytes{};
  int size = 0;
  while ((size = BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()))) > 0) {
    const std::string_view part(bytes.data(), static_cast<std::size_t>(size));
    for (std::size_t at = 0; at < part.size(); at += bytewise_ ? 1 : part.size()) {
      raw_.send_what_goes(bytewise_ ? part.substr(at, 1) : part);
    }
  }
}

bool TlsClient::shake_hands() {
  while (true) {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    const int problem = SSL_get_error(ssl_.get(), outcome);
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    flush();
    if (outcome == 1) return true;
    why_ = reason == nullptr ? "closed" : reason;
    if (problem != SSL_ERROR_WANT_READ) return false;
    const std::string came = raw_.read_some();
    if (came.empty()) return false;
    BIO_write(SSL_get_rbio(ssl_.get()), came.data(), static_cast<int>(came.size()));
  }
}

std::string TlsClient::seal(std::string_view plaintext) {
  if (SSL_is_init_finished(ssl_.get()) == 0) SSL_do_handshake(ssl_.get());
  SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
  std::string sealed(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())), '\0');
  BIO_read(SSL_get_wbio(ssl_.get()), sealed.data(), static_cast<int>(sealed.size()));
  return sealed;
}

void TlsClient::send(std::string_view plaintext) {
  SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
  flush();
}

void TlsClient::end_sending() {
  SSL_shutdown(ssl_.get());
  flush();
}

void TlsClient::change_keys() {
  SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(ssl_.get());
  flush();
}

bool TlsClient::renegotiates() {
  if (SSL_renegotiate(ssl_.get()) != 1) return false;
  return shake_hands();
}

bool TlsClient::receive() {
  while (true) {
    std::array<char, 16384> part{};
    ERR_clear_error();
    const int size = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()));
    if (size > 0) {
      received_.append(part.data(), static_cast<std::size_t>(size));
      return true;
    }
    if (SSL_get_error(ssl_.get(), size) != SSL_ERROR_WANT_READ) return false;
    const std::string came = raw_.read_some();
    if (came.empty()) return false;
    BIO_write(SSL_get_rbio(ssl_.get()), came.data(), static_cast<int>(came.size()));
  }
}

Answer TlsClient::read_answer(Client::Body body) {
  return take_answer(received_, [this] { return receive(); }, body);
}

std::string TlsClient::read(std::size_t count) {
  while (received_.size() < count && receive()) {
  }
  std::string taken = received_.substr(0, count);
  received_.erase(0, taken.size());
  return taken;
}

std::string TlsClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

bool TlsClient::end_was_said() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

int TlsClient::version() const { return SSL_version(ssl_.get()); }

std::string TlsClient::cipher() const { return SSL_get_cipher_name(ssl_.get()); }

std::string TlsClient::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

long TlsClient::serial() const {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(ssl_.get()), X509_free);
  return shown ? ASN1_INTEGER_get(X509_get_serialNumber(shown.get())) : 0;
}

bool TlsClient::was_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::shared_ptr<ssl_session_st> TlsClient::session() const { return {SSL_get1_session(ssl_.get()), SSL_SESSION_free}; }

}  // namespace leger::test
