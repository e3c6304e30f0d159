#include "tests/daemon/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace leger::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

void check(bool done) {
  if (!done) throw std::runtime_error("OpenSSL makes no test certificate");
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

TestPair make_pair(const CertificateWish& wish) {
  const Key key(wish.rsa_bits != 0 ? EVP_RSA_gen(wish.rsa_bits) : EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  check(key && certificate);
  X509* made = certificate.get();
  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made), wish.serial);
  ASN1_TIME_set(X509_getm_notBefore(made), wish.not_before);
  ASN1_TIME_set(X509_getm_notAfter(made), wish.not_after);
  X509_NAME* name = X509_get_subject_name(made);
  const auto* host = reinterpret_cast<const unsigned char*>("localhost");
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0) == 1);
  check(X509_set_issuer_name(made, name) == 1 && X509_set_pubkey(made, key.get()) == 1);
  check(X509_sign(made, key.get(), EVP_sha256()) > 0);

  const Bio certificate_bio(BIO_new(BIO_s_mem()), BIO_free);
  const Bio key_bio(BIO_new(BIO_s_mem()), BIO_free);
  check(PEM_write_bio_X509(certificate_bio.get(), made) == 1);
  const EVP_CIPHER* cipher = wish.passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  check(PEM_write_bio_PrivateKey(key_bio.get(), key.get(), cipher, nullptr, 0, nullptr,
                                 cipher == nullptr ? nullptr : const_cast<char*>(wish.passphrase.c_str())) == 1);
  return {.certificate = text_of(certificate_bio.get()), .key = text_of(key_bio.get())};
}

void put_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::string beside = path + ".new";
  std::ofstream(beside) << text;
  if (chmod(beside.c_str(), mode) != 0 || std::rename(beside.c_str(), path.c_str()) != 0) {
    throw std::runtime_error("cannot write " + path);
  }
}

void put_pair(const TemporaryFolder& folder, const TestPair& pair, unsigned key_mode) {
  put_file(folder / "tls.crt", pair.certificate, 0644);
  put_file(folder / "tls.key", pair.key, key_mode);
}

DaemonSettings with_tls(const TestPair& pair) {
  DaemonSettings settings;
  put_pair(*settings.folder, pair);
  settings.tls.cert_file = *settings.folder / "tls.crt";
  settings.tls.key_file = *settings.folder / "tls.key";
  return settings;
}

}  // namespace leger::test
