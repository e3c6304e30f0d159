#include "daemon/certificates.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace leger {
namespace {

constexpr std::uint64_t kFilesMs = 10'000;  // between looks at files
constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kDayMs = 24 * kHourMs;
constexpr std::uint64_t kTicketKeysMs = 12 * kHourMs;
constexpr std::uint64_t kFirstRetryMs = 1'000;
constexpr std::uint64_t kLastRetryMs = 300'000;

}  // namespace

Certificates::Certificates(Loop& loop, const Log& log, Origin origin)
    : loop_(loop), log_(log), origin_(std::move(origin)), retry_ms_(kFirstRetryMs), wake_(loop) {}

Result<void> Certificates::start() {
  if (const auto* files = std::get_if<CertificateFiles>(&origin_)) {
    auto loaded = load(*files);
    if (!loaded) return loaded;
  }
  loop_.spawn(look_after(), [this](std::exception_ptr) { log_.error("certificates are no longer looked after"); });
  return {};
}

void Certificates::stop() {
  stopped_ = true;
  wake_.set(true);
}

Task<void> Certificates::look_after() {
  Timer timer(loop_.timers(), [this] { wake_.set(true); });
  while (!stopped_) {
    std::uint64_t pause = 0;
    if (const auto* files = std::get_if<CertificateFiles>(&origin_)) {
      pause = look_at(*files);
    } else {
      pause = co_await ask(std::get<CertificateSource>(origin_));
    }
    if (stopped_) break;
    age();
    wake_ = OneShot<bool>(loop_);
    timer.set_in(pause);
    co_await wake_;
  }
}

Result<void> Certificates::load(const CertificateFiles& files) {
  // Taken before reading: what changes meanwhile is seen at the next look.
  chain_mark_ = mark_of(files.chain);
  key_mark_ = mark_of(files.key);
  auto loaded = load_files(files);
  if (!loaded) return Fail(loaded.error());
  use(std::move(*loaded));
  return {};
}

std::uint64_t Certificates::look_at(const CertificateFiles& files) {
  if (mark_of(files.chain) == chain_mark_ && mark_of(files.key) == key_mark_) return kFilesMs;
  const auto loaded = load(files);
  // Two files are two renames: between them the key is another certificate's, and the next look finds both.
  if (!loaded) {
    log_.warning("the new TLS certificate cannot be used; the one before stays",
                 {{"WHY", loaded.error().message}, {"ACTION", loaded.error().action}});
  }
  return kFilesMs;
}

Task<Result<std::shared_ptr<TlsContext>>> Certificates::fetch(const CertificateSource& source) {
  auto domain = co_await source.domain();
  if (!domain) co_return Fail(domain.error());
  const std::string name = "the certificate of " + *domain;
  const auto pem = co_await source.certificate(std::move(*domain));
  if (!pem) co_return Fail(pem.error());
  co_return TlsContext::make(
      {.chain = pem->reveal(), .chain_name = name, .key = pem->reveal(), .key_name = "the key of " + name});
}

Task<std::uint64_t> Certificates::ask(const CertificateSource& source) {
  auto fetched = co_await fetch(source);
  if (fetched) {
    problem_.clear();
    retry_ms_ = kFirstRetryMs;
    if (!current_ || current_->fingerprint() != (*fetched)->fingerprint()) use(std::move(*fetched));
    co_return until_renewal_ms();
  }
  if (fetched.error().message != problem_ && !stopped_) {
    problem_ = fetched.error().message;
    log_.warning(current_ ? "no new TLS certificate; the one before stays" : "no TLS certificate; TCP is closed",
                 {{"WHY", problem_}, {"ACTION", fetched.error().action}});
  }
  co_return std::exchange(retry_ms_, std::min(2 * retry_ms_, kLastRetryMs));
}

// Once a day at least: a node may have a new name, and tailscaled renews on its own. With a third of the lifetime left
// the source is asked hourly until it gives another one.
std::uint64_t Certificates::until_renewal_ms() const {
  const std::int64_t third = (current_->not_after() - current_->not_before()) / 3;
  const std::int64_t left = current_->not_after() - third - loop_.clock().wall_seconds();
  if (left <= 0) return kHourMs;
  return std::min(kDayMs, static_cast<std::uint64_t>(left) * 1000);
}

void Certificates::use(std::shared_ptr<TlsContext> loaded) {
  current_ = std::move(loaded);
  tickets_since_ms_ = loop_.timers().now_ms();
  expiry_was_logged_ = false;
  log_.info("TLS certificate in use",
            {{"VALID_UNTIL", rfc3339(current_->not_after())}, {"SHA256", current_->fingerprint()}});
}

void Certificates::age() {
  if (!current_) return;
  const std::uint64_t now = loop_.timers().now_ms();
  if (now - tickets_since_ms_ >= kTicketKeysMs) {
    tickets_since_ms_ = now;
    current_->change_ticket_keys();
  }
  if (expiry_was_logged_ || loop_.clock().wall_seconds() <= current_->not_after()) return;
  expiry_was_logged_ = true;
  log_.warning(
      "the TLS certificate has expired; clients will refuse it",
      {{"SINCE", rfc3339(current_->not_after())}, {"ACTION", "Renew it; it is then taken without a restart."}});
}

}  // namespace leger
