#pragma once

// Certificates that are made while the tests run: self-signed, and wrong in the ways that people's
// files are wrong.

#include <cstdint>
#include <string>

#include "tests/daemon/running_daemon.h"

namespace leger::test {

// The moment at which a FakeClock starts.
inline std::int64_t test_start() { return FakeClock().wall_seconds(); }

struct CertificateWish {
  long serial = 1;
  std::int64_t not_before = test_start() - 1000;  // seconds since 1970
  std::int64_t not_after = test_start() + 90 * 86'400L;
  std::string passphrase;  // of the key; empty: not encrypted
  unsigned rsa_bits = 0;   // 0: a key of the curve P-256
};

struct TestPair {
  std::string certificate;  // PEM
  std::string key;          // PEM
};
TestPair make_pair(const CertificateWish& wish = {});

// Writes both into `folder` as tls.crt and tls.key, each by a rename, the certificate first; the key with `key_mode`.
void put_pair(const TemporaryFolder& folder, const TestPair& pair, unsigned key_mode = 0600);
void put_file(const std::string& path, const std::string& text, unsigned mode = 0600);

// A daemon with a TLS door that shows `pair`.
DaemonSettings with_tls(const TestPair& pair = make_pair());

}  // namespace leger::test
