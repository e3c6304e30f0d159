#pragma once

// The certificate that TLS doors show now, replaced while the server runs: read again when its files change, or asked
// from tailscaled in time. A certificate that cannot be used replaces nothing. Owned by the Daemon, outlives the
// Server; loop thread. Logs each problem once.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "backend/base/error.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "daemon/certificate_files.h"
#include "daemon/tls_context.h"

namespace leger {

// Whoever issues certificates to this node by its name: tailscaled. Both functions live as long as Certificates does,
// and what they do has a deadline.
struct CertificateSource {
  std::function<Task<Result<std::string>>()> domain;
  std::function<Task<Result<Secret>>(std::string domain)> certificate;  // key and chain, PEM in one text
};

class Certificates {
 public:
  using Origin = std::variant<CertificateFiles, CertificateSource>;

  // The references outlive this.
  Certificates(Loop& loop, const Log& log, Origin origin);
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;
  ~Certificates() = default;

  // Files are read at once: what is wrong with them is the error. A source is asked from here on, and nobody waits for
  // its answer. Either is then looked after until stop().
  Result<void> start();
  // The task that looks after it ends when what it is doing has ended.
  void stop();

  // Null until there is one.
  std::shared_ptr<const TlsContext> current() const { return current_; }

 private:
  Task<void> look_after();
  std::uint64_t look_at(const CertificateFiles& files);
  Task<std::uint64_t> ask(const CertificateSource& source);
  Task<Result<std::shared_ptr<TlsContext>>> fetch(const CertificateSource& source);
  Result<void> load(const CertificateFiles& files);
  void use(std::shared_ptr<TlsContext> loaded);
  void age();
  std::uint64_t until_renewal_ms() const;

  Loop& loop_;
  const Log& log_;
  const Origin origin_;
  std::shared_ptr<TlsContext> current_;
  FileMark chain_mark_;
  FileMark key_mark_;
  std::string problem_;  // the last one that was logged; empty while all is well
  std::uint64_t retry_ms_;
  std::uint64_t tickets_since_ms_ = 0;
  bool expiry_was_logged_ = false;
  bool stopped_ = false;
  OneShot<bool> wake_;
};

}  // namespace leger
