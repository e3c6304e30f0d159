// Certificates that are replaced while the daemon serves: from files, and from an issuer such as tailscaled.

#include <doctest/doctest.h>

#include <mutex>
#include <optional>

#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"

namespace leger::test {
namespace {

constexpr std::uint64_t kLook = 10'000;
constexpr std::uint64_t kHour = 3'600'000;
constexpr std::uint64_t kDay = 24 * kHour;

// The serial number of what a new client is shown; 0 where it is closed.
long shown(const RunningDaemon& daemon) {
  TlsClient client(daemon.tcp());
  return client.shake_hands() ? client.serial() : 0;
}

// tailscaled as far as certificates go; the daemon asks on its own thread.
class FakeIssuer {
 public:
  CertificateSource source() {
    return {.domain = [this] { return domain(); },
            .certificate = [this](std::string name) { return certificate(std::move(name)); }};
  }
  void issue(std::optional<TestPair> pair) {
    const std::scoped_lock lock(mutex_);
    pair_ = std::move(pair);
  }
  int asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }
  std::string name() const {
    const std::scoped_lock lock(mutex_);
    return name_;
  }

 private:
  Task<Result<std::string>> domain() {
    const std::scoped_lock lock(mutex_);
    ++asked_;
    co_return "host.tail1234.ts.net";
  }
  Task<Result<Secret>> certificate(std::string name) {
    const std::scoped_lock lock(mutex_);
    name_ = std::move(name);
    if (!pair_) co_return Fail({Code::upstream_failed, "no certificate today", {}, {}});
    co_return Secret(pair_->key + pair_->certificate);
  }

  mutable std::mutex mutex_;
  std::optional<TestPair> pair_;
  int asked_ = 0;
  std::string name_;
};

DaemonSettings with_issuer(FakeIssuer& issuer) {
  DaemonSettings settings;
  settings.tls.from_tailscale = true;
  settings.issuer = issuer.source();
  return settings;
}

}  // namespace

TEST_CASE("a new pair of files is shown to new clients, and takes nothing from those who are there") {
  const DaemonSettings settings = with_tls();
  RunningDaemon daemon(settings);
  TlsClient old(daemon.tcp());
  REQUIRE(old.shake_hands());
  put_pair(*settings.folder, make_pair({.serial = 2}));
  CHECK(shown(daemon) == 1);
  daemon.advance(kLook - 1);
  CHECK(shown(daemon) == 1);
  old.send(request("GET", "/health"));
  CHECK(old.read_answer().status == 200);
  daemon.advance(1);
  CHECK(shown(daemon) == 2);
  old.send(request("GET", "/health"));
  CHECK(old.read_answer().status == 200);
  CHECK(old.serial() == 1);
}

TEST_CASE("a new pair that cannot be used leaves the old one, until one comes that can") {
  const DaemonSettings settings = with_tls();
  RunningDaemon daemon(settings);
  const auto after_a_look = [&daemon] {
    daemon.advance(kLook);
    return shown(daemon);
  };
  const TestPair next = make_pair({.serial = 2});
  put_file(*settings.folder / "tls.crt", next.certificate);  // between two renames
  CHECK(after_a_look() == 1);
  put_file(*settings.folder / "tls.key", next.key);
  CHECK(after_a_look() == 2);
  put_file(*settings.folder / "tls.crt", "garbage");
  CHECK(after_a_look() == 2);
  std::filesystem::remove(*settings.folder / "tls.crt");
  CHECK(after_a_look() == 2);
  put_pair(*settings.folder, make_pair({.serial = 3}), 0644);
  CHECK(after_a_look() == 2);
  std::filesystem::permissions(*settings.folder / "tls.key", std::filesystem::perms::owner_read);
  CHECK(after_a_look() == 3);
}

TEST_CASE("a certificate behind a link is followed when the link moves") {
  DaemonSettings settings = with_tls();
  const TemporaryFolder& folder = *settings.folder;
  for (const std::string name : {"1", "2"}) {
    const TestPair pair = make_pair({.serial = name == "1" ? 1 : 2});
    put_file(folder / (name + ".crt"), pair.certificate);
    put_file(folder / (name + ".key"), pair.key);
  }
  const auto point_to = [&folder](const std::string& name) {
    for (const std::string kind : {".crt", ".key"}) {
      std::filesystem::remove(folder / ("live" + kind));
      std::filesystem::create_symlink(name + kind, folder / ("live" + kind));
    }
  };
  point_to("1");
  settings.tls.cert_file = folder / "live.crt";
  settings.tls.key_file = folder / "live.key";
  RunningDaemon daemon(settings);
  CHECK(shown(daemon) == 1);
  point_to("2");
  daemon.advance(kLook);
  CHECK(shown(daemon) == 2);
}

TEST_CASE("an expired certificate is served") {
  RunningDaemon daemon(with_tls(make_pair({.serial = 7, .not_after = test_start() + 5})));
  CHECK(shown(daemon) == 7);
  daemon.advance(2 * kLook);
  CHECK(shown(daemon) == 7);
}

TEST_CASE("until an issuer gives a certificate TLS clients are closed, and the daemon serves its other door") {
  FakeIssuer issuer;
  RunningDaemon daemon(with_issuer(issuer));
  CHECK(issuer.asked() == 1);
  CHECK(issuer.name() == "host.tail1234.ts.net");
  Client closed = daemon.tcp();
  CHECK(closed.read_to_end().empty());
  CHECK(shown(daemon) == 0);
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets")).status == 200);

  std::uint64_t pause = 1'000;
  for (int asked = 1; asked <= 12; ++asked) {
    CAPTURE(asked);
    CHECK(issuer.asked() == asked);
    daemon.advance(pause - 1);
    CHECK(issuer.asked() == asked);
    daemon.advance(1);
    pause = std::min<std::uint64_t>(2 * pause, 300'000);
  }
  issuer.issue(make_pair({.serial = 5}));
  CHECK(shown(daemon) == 0);
  daemon.advance(pause);
  CHECK(shown(daemon) == 5);
}

TEST_CASE("a pair from an issuer that cannot be used is a failure like another") {
  FakeIssuer issuer;
  issuer.issue(TestPair{.certificate = make_pair().certificate, .key = make_pair().key});
  RunningDaemon daemon(with_issuer(issuer));
  CHECK(shown(daemon) == 0);
  issuer.issue(make_pair({.serial = 2}));
  daemon.advance(1'000);
  CHECK(shown(daemon) == 2);
}

TEST_CASE("an issuer is asked daily, and what it has renewed is shown without a restart") {
  FakeIssuer issuer;
  issuer.issue(make_pair({.serial = 1}));
  RunningDaemon daemon(with_issuer(issuer));
  CHECK(shown(daemon) == 1);
  daemon.advance(kDay - 1);
  CHECK(issuer.asked() == 1);
  daemon.advance(1);
  CHECK(issuer.asked() == 2);
  CHECK(shown(daemon) == 1);
  issuer.issue(make_pair({.serial = 2, .not_after = test_start() + 120 * 86'400L}));
  daemon.advance(kDay);
  CHECK(issuer.asked() == 3);
  CHECK(shown(daemon) == 2);
}

TEST_CASE("with a third of its lifetime left a certificate is renewed") {
  FakeIssuer issuer;
  issuer.issue(make_pair({.serial = 1, .not_before = test_start(), .not_after = test_start() + 6 * 3600}));
  RunningDaemon daemon(with_issuer(issuer));
  daemon.advance(4 * kHour - 1'000);
  CHECK(issuer.asked() == 1);
  daemon.advance(1'000);
  CHECK(issuer.asked() == 2);
  daemon.advance(kHour);  // it gave the same one
  CHECK(issuer.asked() == 3);
  issuer.issue(std::nullopt);
  daemon.advance(kHour);
  CHECK(issuer.asked() == 4);
  CHECK(shown(daemon) == 1);
  issuer.issue(make_pair({.serial = 2, .not_after = test_start() + 90 * 86'400L}));
  daemon.advance(1'000);
  CHECK(issuer.asked() == 5);
  CHECK(shown(daemon) == 2);
}

}  // namespace leger::test
