// Which certificates and keys are taken, and what is said about the others.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "daemon/certificate_files.h"
#include "daemon/tls_context.h"
#include "tests/daemon/test_certificates.h"

namespace leger::test {
namespace {

Result<std::shared_ptr<TlsContext>> made(const TestPair& pair) {
  return TlsContext::make({.chain = pair.certificate, .chain_name = "a.crt", .key = pair.key, .key_name = "a.key"});
}

// What is said about a pair that is refused.
std::string refusal(const TestPair& pair) {
  const auto context = made(pair);
  REQUIRE_FALSE(context.has_value());
  CHECK(context.error().code == Code::invalid_request);
  return context.error().message + " " + context.error().action;
}

std::string refusal(const TemporaryFolder& folder) {
  const auto context = load_files({.chain = folder / "tls.crt", .key = folder / "tls.key"});
  REQUIRE_FALSE(context.has_value());
  return context.error().message + " " + context.error().action;
}

}  // namespace

TEST_CASE("a certificate and its key are taken, and tell how long they are valid") {
  const auto context = made(make_pair());
  REQUIRE(context.has_value());
  CHECK((*context)->not_before() == test_start() - 1000);
  CHECK((*context)->not_after() == test_start() + 90 * 86'400);
  CHECK((*context)->fingerprint().size() == 64);
  CHECK((*context)->fingerprint() != (*made(make_pair({.serial = 2})))->fingerprint());
}

TEST_CASE("key and chain may be one text, in any order") {
  const TestPair pair = make_pair();
  for (const std::string& text : {pair.key + pair.certificate, pair.certificate + pair.key}) {
    CHECK(made({.certificate = text, .key = text}).has_value());
  }
}

TEST_CASE("a file without its last line end, and with words around the certificates, is taken") {
  TestPair pair = make_pair();
  pair.certificate = "issued for localhost\n" + pair.certificate + "the issuer's:\n" + make_pair().certificate;
  pair.certificate.pop_back();
  pair.key.pop_back();
  CHECK(made(pair).has_value());
}

TEST_CASE("an expired certificate is taken") {
  const auto context = made(make_pair({.not_after = test_start() - 10}));
  REQUIRE(context.has_value());
  CHECK((*context)->not_after() == test_start() - 10);
}

TEST_CASE("what is no certificate is refused by name") {
  const TestPair pair = make_pair();
  for (const std::string& text : {std::string(), std::string("hello"), pair.key}) {
    CHECK(refusal({.certificate = text, .key = pair.key}).starts_with("a.crt: is not a certificate in PEM"));
  }
  const std::string begin = "-----BEGIN CERTIFICATE-----\n";
  for (const std::string& text : {begin, begin + "AAAA\n-----END CERTIFICATE-----\n", begin + "!\n" + begin,
                                  pair.certificate.substr(0, pair.certificate.size() / 2)}) {
    CHECK(refusal({.certificate = text, .key = pair.key}).starts_with("a.crt: certificate 1 cannot be read"));
  }
  CHECK(refusal({.certificate = pair.certificate + begin, .key = pair.key}).starts_with("a.crt: certificate 2"));
}

TEST_CASE("what is no key is refused by name") {
  const TestPair pair = make_pair();
  for (const std::string& text : {std::string(), std::string("hello"), pair.certificate, pair.key.substr(0, 60)}) {
    CHECK(refusal({.certificate = pair.certificate, .key = text}).starts_with("a.key: is not a private key in PEM"));
  }
}

TEST_CASE("the key of another certificate is refused, with both names") {
  const std::string said = refusal({.certificate = make_pair().certificate, .key = make_pair().key});
  CHECK(said.starts_with("a.key: is the key of another certificate than a.crt."));
  CHECK(refusal({.certificate = make_pair().certificate, .key = make_pair({.rsa_bits = 2048}).key}) == said);
}

TEST_CASE("a key with a passphrase is refused without asking for it") {
  const TestPair pair = make_pair({.passphrase = "sesame"});
  const std::string said = refusal(pair);
  CHECK(said.starts_with("a.key: the key is encrypted with a passphrase"));
  CHECK(said.contains("openssl pkey"));
  CHECK_FALSE(said.contains("sesame"));
}

TEST_CASE("a key that is too short is refused with the reason") {
  CHECK(refusal(make_pair({.rsa_bits = 1024})).starts_with("a.crt: cannot be used: ee key too small"));
}

TEST_CASE("a chain has at most 10 certificates, a text 256 KiB") {
  const TestPair pair = make_pair();
  std::string chain;
  for (int i = 0; i < 10; ++i) chain += pair.certificate;
  CHECK(made({.certificate = chain, .key = pair.key}).has_value());
  CHECK(refusal({.certificate = chain + pair.certificate, .key = pair.key}).contains("more than 10"));
  const std::string blanks(256 * 1024 - pair.certificate.size(), ' ');
  CHECK(made({.certificate = blanks + pair.certificate, .key = pair.key}).has_value());
  CHECK(refusal({.certificate = " " + blanks + pair.certificate, .key = pair.key}).contains("larger than"));
}

TEST_CASE("a key file that others may read or change is refused, with what to do") {
  const TemporaryFolder folder;
  for (const unsigned mode : {0640U, 0604U, 0620U, 0610U, 0601U, 0644U}) {
    CAPTURE(mode);
    put_pair(folder, make_pair(), mode);
    CHECK(
        refusal(folder).contains("tls.key is a private key that others may read or change. Take that right away: "
                                 "chmod 600 " +
                                 folder.path() + "/tls.key"));
  }
  put_pair(folder, make_pair(), 0400);
  CHECK(load_files({.chain = folder / "tls.crt", .key = folder / "tls.key"}).has_value());
}

TEST_CASE("files that are not there, or are no files, are refused by name") {
  const TemporaryFolder folder;
  CHECK(refusal(folder).contains("tls.crt"));
  put_file(folder / "tls.crt", make_pair().certificate);
  CHECK(refusal(folder).contains("tls.key"));
  std::filesystem::create_directory(folder / "tls.key");
  CHECK(refusal(folder).contains("tls.key is not a regular file"));
  std::filesystem::remove(folder / "tls.key");
  REQUIRE(mkfifo((folder / "tls.key").c_str(), 0600) == 0);
  CHECK(refusal(folder).contains("tls.key is not a regular file"));
  put_file(folder / "tls.key", std::string(256 * 1024 + 1, 'k'));
  CHECK(refusal(folder).contains("larger than 256 KiB"));
}

TEST_CASE("a file that was replaced has another mark") {
  const TemporaryFolder folder;
  CHECK(mark_of(folder / "a") == FileMark());
  put_file(folder / "a", "1");
  const FileMark first = mark_of(folder / "a");
  CHECK(first == mark_of(folder / "a"));
  put_file(folder / "b", "2");
  std::filesystem::rename(folder / "b", folder / "a");
  CHECK_FALSE(mark_of(folder / "a") == first);
}

}  // namespace leger::test
