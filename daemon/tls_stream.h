#pragma once

// One TLS connection of the server's side as a state machine without input or output of its own: ciphertext in,
// plaintext out, and the other way round. Owned by its ClientConnection; loop thread.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/tls_context.h"

struct ssl_st;  // OpenSSL's SSL
struct bio_st;  // OpenSSL's BIO

namespace leger {

class TlsStream {
 public:
  // `ended`: the peer said that it sends no more (close_notify); it can still be written to. `failed`: nothing goes.
  enum class State { handshake, open, ended, failed };

  static constexpr std::size_t kMostPlain = 16 * 1024;          // of one record
  static constexpr std::size_t kMostRecord = kMostPlain + 512;  // with its header, tag and padding

  explicit TlsStream(std::shared_ptr<const TlsContext> context);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream() = default;

  State state() const { return state_; }

  // Takes all of `ciphertext`, however records are cut, and appends what it says to `plaintext`, never more bytes than
  // came in. What the protocol answers is then in outgoing(): the handshake, an alert; to a client that speaks plain
  // HTTP a plain answer that says so.
  void receive(std::string_view ciphertext, std::string& plaintext);

  // Encrypts the first bytes of `plaintext`, as many as a record holds, into outgoing(); how many that were. 0 where
  // the stream is not, or no longer, able to.
  std::size_t seal(std::string_view plaintext);

  // Tells the peer that no more is sent, once; nothing where there was no handshake.
  void say_end();

  // Ciphertext that is to be sent; whoever sends it takes it out.
  std::string& outgoing() { return outgoing_; }

 private:
  friend struct TlsStreamBio;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  void shake_hands();
  void read_into(std::string& plaintext);
  void fail();

  std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<ssl_st, Free> ssl_;
  State state_ = State::handshake;
  std::string_view incoming_;  // while receive() runs
  std::string outgoing_;
};

}  // namespace leger
