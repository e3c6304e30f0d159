#pragma once

// A TLS client over a Client: OpenSSL on memory of its own, so that a test decides about every byte of ciphertext. It
// trusts every certificate; tests look at its serial number. Used by the thread of a test.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tests/daemon/client.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace leger::test {

struct TlsWish {
  int least_version = 0;  // 0: whatever OpenSSL can
  int most_version = 0;
  std::string ciphers;                      // of TLS 1.2 and older; empty: OpenSSL's
  std::string protocols;                    // ALPN, as on the wire
  std::shared_ptr<ssl_session_st> session;  // to be resumed
};

class TlsClient {
 public:
  explicit TlsClient(Client raw, const TlsWish& wish = {});
  TlsClient(TlsClient&&) noexcept = default;
  TlsClient& operator=(TlsClient&&) = delete;
  ~TlsClient();

  // False where the other side refuses or closes; why() is then OpenSSL's reason.
  bool shake_hands();
  const std::string& why() const { return why_; }

  // From here on each byte of ciphertext is a write of its own.
  void send_bytewise() { bytewise_ = true; }
  void send(std::string_view plaintext);
  // Says close_notify; what still comes can be read.
  void end_sending();
  // Ciphertext of `plaintext` that is not sent; before the handshake its first message.
  std::string seal(std::string_view plaintext);

  // TLS 1.3: new keys, and the wish that the other side makes new ones too.
  void change_keys();
  // TLS 1.2: whether the other side lets itself be talked into a second handshake.
  bool renegotiates();

  // As Client's.
  Answer read_answer(Client::Body body = Client::Body::expected);
  std::string read(std::size_t count);
  std::string read_to_end();
  // Whether the end was said by close_notify; a stream without it is a truncated one.
  bool end_was_said() const;

  int version() const;
  std::string cipher() const;
  std::string protocol() const;
  long serial() const;  // of the server's certificate
  bool was_resumed() const;
  std::shared_ptr<ssl_session_st> session() const;

  Client& raw() { return raw_; }

 private:
  bool receive();  // plaintext into received_; false at the end
  void flush();

  Client raw_;
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  std::string received_;
  std::string why_;
  bool bytewise_ = false;
};

}  // namespace leger::test
