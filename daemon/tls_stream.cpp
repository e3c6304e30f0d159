#include "daemon/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace leger {

// OpenSSL's memory BIOs keep what they once grew to, and copy once more: this one reads what receive() was given and
// writes to outgoing().
struct TlsStreamBio {
  static TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int most) noexcept {
    std::string_view& incoming = stream_of(bio).incoming_;
    BIO_clear_retry_flags(bio);
    if (incoming.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t size = std::min(incoming.size(), static_cast<std::size_t>(most));
    std::memcpy(to, incoming.data(), size);
    incoming.remove_prefix(size);
    return static_cast<int>(size);
  }

  static int write(BIO* bio, const char* from, int size) noexcept {
    BIO_clear_retry_flags(bio);
    stream_of(bio).outgoing_.append(from, static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  // One for the process, as OpenSSL's own methods are.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "leger");
      BIO_meth_set_read(method, read);
      BIO_meth_set_write(method, write);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return made;
  }
};

namespace {

constexpr std::string_view kSpeakHttps =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 24\r\nConnection: close\r\n\r\n"
    "This port speaks https.\n";

bool is_plain_http(unsigned long error) {
  const int reason = ERR_GET_REASON(error);
  return ERR_GET_LIB(error) == ERR_LIB_SSL && (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context)
    : context_(std::move(context)), ssl_(SSL_new(context_->get())) {
  BIO* bio = ssl_ ? BIO_new(TlsStreamBio::method()) : nullptr;
  if (bio == nullptr) {
    fail();
    return;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it from here on
  SSL_set_accept_state(ssl_.get());
}

void TlsStream::fail() {
  state_ = State::failed;
  ERR_clear_error();
}

void TlsStream::receive(std::string_view ciphertext, std::string& plaintext) {
  incoming_ = ciphertext;
  ERR_clear_error();
  if (state_ == State::handshake) shake_hands();
  if (state_ == State::open) read_into(plaintext);
  incoming_ = {};
}

void TlsStream::shake_hands() {
  const int outcome = SSL_do_handshake(ssl_.get());
  if (outcome == 1) {
    state_ = State::open;
    return;
  }
  if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) return;
  if (is_plain_http(ERR_peek_error())) outgoing_ = kSpeakHttps;
  fail();
}

void TlsStream::read_into(std::string& plaintext) {
  std::array<char, kMostPlain> part;  // not filled with zeros beforehand: small requests would pay for it
  int size = 0;
  while ((size = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()))) > 0) {
    plaintext.append(part.data(), static_cast<std::size_t>(size));
    OPENSSL_cleanse(part.data(), static_cast<std::size_t>(size));
  }
  switch (SSL_get_error(ssl_.get(), size)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::ended;
      return;
    default:
      fail();
  }
}

std::size_t TlsStream::seal(std::string_view plaintext) {
  if (state_ != State::open && state_ != State::ended) return 0;
  ERR_clear_error();
  const std::string_view part = plaintext.substr(0, kMostPlain);
  const int sealed = SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
  if (sealed > 0) return static_cast<std::size_t>(sealed);
  fail();
  return 0;
}

void TlsStream::say_end() {
  if (state_ != State::open && state_ != State::ended) return;
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace leger
