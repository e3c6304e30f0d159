#include "backend/tailscale/local_api.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/fake_tailscaled.h"
#include "tests/support.h"

namespace leger {
namespace {

using test::FakeTailscaled;
using test::run;
using Fault = FakeTailscaled::Fault;

constexpr const char* kIp = "100.64.0.2";
constexpr const char* kAddress = "100.64.0.2:1234";
constexpr const char* kPair =
    "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

struct Fixture {
  Fixture() {
    start();
    tailscaled->set_whois(kIp, test::whois_answer());
    tailscaled->set_status(test::status_answer());
  }

  void start() { tailscaled = std::make_unique<FakeTailscaled>(folder / "tailscaled.sock"); }
  Result<WhoIs> whois(const std::string& address = kAddress) { return run(loop, api.whois(address)); }
  Result<NodeStatus> status() { return run(loop, api.status()); }
  Result<Secret> certificate() { return run(loop, api.certificate("laptop.tail-test.ts.net")); }

  // Three failures in a row.
  void open_breaker() {
    tailscaled->set_fault(Fault::garbage);
    for (int i = 0; i < 3; ++i) CHECK(whois().error().code == Code::unavailable);
    tailscaled->set_fault(Fault::none);
  }

  test::TemporaryFolder folder;
  std::unique_ptr<FakeTailscaled> tailscaled;
  test::FakeClock clock;
  Loop loop{clock};
  HttpClient http{loop};
  LocalApi api{loop, http, folder / "tailscaled.sock"};
};

void check_unavailable(const Error& error, std::string_view part) {
  CHECK(name_of(error.code) == "unavailable");
  INFO(error.message);
  CHECK(error.message.find(part) != std::string::npos);
  CHECK(!error.action.empty());
}

TEST_CASE_FIXTURE(Fixture, "whois asks tailscaled by its own name and gives who it says") {
  const auto who = whois();
  REQUIRE(who.has_value());
  CHECK(who->user_id == 101);
  const auto seen = tailscaled->seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].method == "GET");
  CHECK(seen[0].target == "/localapi/v0/whois?proto=tcp&addr=100%2E64%2E0%2E2%3A1234");
  CHECK(seen[0].headers.at("host") == "local-tailscaled.sock");
  CHECK(seen[0].headers.count("origin") == 0);
  CHECK(seen[0].headers.count("referer") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an address cannot add to the question") {
  CHECK_FALSE(whois("[fd7a::2]:1&addr=100.64.0.2:1234#\r\nHost: x").has_value());
  CHECK(tailscaled->seen().at(0).target ==
        "/localapi/v0/whois?proto=tcp&addr=%5Bfd7a%3A%3A2%5D%3A1%26addr%3D100%2E64%2E0%2E2%3A1234%23%0D%0AHost%3A%20x");
  tailscaled->set_whois("fd7a::2", test::whois_answer({.user_id = 102}));
  CHECK(whois("[fd7a::2]:7")->user_id == 102);
}

TEST_CASE_FIXTURE(Fixture, "expiry is judged by the loop's clock") {
  tailscaled->set_whois(kIp, test::whois_answer({.key_expiry = rfc3339(clock.wall_seconds() + 60)}));
  CHECK_FALSE(whois()->is_expired);
  clock.advance(60'000);
  CHECK(whois()->is_expired);
}

TEST_CASE_FIXTURE(Fixture, "an address that tailscaled does not know is refused and is no failure") {
  for (int i = 0; i < 5; ++i) {
    const auto who = whois("100.64.0.9:1\x1b");
    REQUIRE_FALSE(who.has_value());
    CHECK(who.error().code == Code::tailscale_verification_failed);
    CHECK(who.error().message == "tailscaled knows no device at 100.64.0.9:1\\x1b.");
  }
  CHECK(tailscaled->count("whois") == 5);
  tailscaled->forget_whois(kIp);
  CHECK(whois().error().code == Code::tailscale_verification_failed);
}

TEST_CASE_FIXTURE(Fixture, "tailscaled's own words are shown when it says no, cut and escaped") {
  for (const int status : {400, 403, 500, 503, 302, 204}) {
    tailscaled->refuse_with(status, "whois access\x1b denied\n");
    check_unavailable(whois().error(), "tailscaled refuses to answer with status " + std::to_string(status));
    if (status != 204) CHECK(whois().error().message.ends_with(": whois access\\x1b denied"));
  }
  tailscaled->refuse_with(403, std::string(5000, 'x'));
  CHECK(whois().error().message.size() < 400);
  tailscaled->refuse_with(403, "");
  check_unavailable(status().error(), "tailscaled refuses to answer with status 403.");
  // It did answer: it goes on being asked.
  tailscaled->set_fault(Fault::none);
  CHECK(whois().has_value());
}

TEST_CASE_FIXTURE(Fixture, "whatever tailscaled does wrong is unavailable, never somebody") {
  const std::vector<std::pair<Fault, std::string>> faults = {
      {Fault::garbage, "tailscaled does not answer at " + folder.path()},
      {Fault::huge, "the answer is longer than 1048576 bytes"},
      {Fault::close, "tailscaled does not answer at "},
      {Fault::refuse, "with status 500: scripted refusal"},
      {Fault::wrong_types, "tailscaled's answer cannot be understood: "},
      {Fault::truncated_json, "tailscaled's answer cannot be understood: its JSON"},
      {Fault::cut_off, "tailscaled does not answer at "},
  };
  for (const auto& [fault, words] : faults) {
    CAPTURE(words);
    tailscaled->set_fault(fault);
    check_unavailable(whois().error(), words);
    check_unavailable(status().error(), words);
    tailscaled->set_fault(Fault::none);
    CHECK(whois().has_value());
  }
}

TEST_CASE_FIXTURE(Fixture, "a socket that is not there, or that nobody listens on, says how to start Tailscale") {
  const std::string socket = folder / "tailscaled.sock";
  tailscaled.reset();
  for (const bool is_left_behind : {true, false}) {
    CAPTURE(is_left_behind);
    CHECK(std::filesystem::exists(socket) == is_left_behind);
    const auto who = whois();
    REQUIRE_FALSE(who.has_value());
    CHECK(who.error().code == Code::unavailable);
    CHECK(who.error().message.starts_with("tailscaled does not answer at " + socket + ": "));
    CHECK(who.error().message.find("No answer from") == std::string::npos);
    CHECK(who.error().action == "Start Tailscale:\n  sudo tailscale up\n\nVerify status:\n  tailscale status");
    std::filesystem::remove(socket);
  }
}

TEST_CASE_FIXTURE(Fixture, "a tailscaled that hangs or dribbles is given up after two seconds, and the loop goes on") {
  tailscaled->set_fault(Fault::byte_by_byte);
  std::vector<std::optional<Code>> codes(3);
  int ticks = 0;
  struct Ask {
    static Task<void> one(LocalApi& api, std::optional<Code>& code) {
      const auto who = co_await api.whois(kAddress);
      if (!who) code = who.error().code;
    }
  };
  loop.spawn(Ask::one(api, codes[0]), nullptr);
  uv_timer_t ticker;
  uv_timer_init(loop.uv(), &ticker);
  ticker.data = &ticks;
  uv_timer_start(&ticker, [](uv_timer_t* timer) { ++*static_cast<int*>(timer->data); }, 50, 50);
  // The second kind of silence starts while the first one lasts.
  while (tailscaled->count("whois") < 1) uv_run(loop.uv(), UV_RUN_ONCE);
  tailscaled->set_fault(Fault::hang);
  loop.spawn(Ask::one(api, codes[1]), nullptr);
  loop.spawn(Ask::one(api, codes[2]), nullptr);
  loop.run_until_idle();
  uv_close(reinterpret_cast<uv_handle_t*>(&ticker), nullptr);
  uv_run(loop.uv(), UV_RUN_NOWAIT);
  for (const auto& code : codes) CHECK(code == Code::unavailable);
  CHECK(ticks > 10);
  // Three failures at once count as three.
  tailscaled->set_fault(Fault::none);
  check_unavailable(whois().error(), "asked again in a moment");
  CHECK(tailscaled->count("whois") == 3);
}

TEST_CASE_FIXTURE(Fixture, "after three failures in a row tailscaled is left alone for five seconds, then tried once") {
  open_breaker();
  CHECK(tailscaled->count("whois") == 3);
  check_unavailable(whois().error(), "tailscaled does not answer at " + (folder / "tailscaled.sock"));
  check_unavailable(status().error(), "asked again in a moment");
  clock.advance(4'999);
  CHECK_FALSE(whois().has_value());
  CHECK(tailscaled->seen().size() == 3);
  clock.advance(1);
  CHECK(whois().has_value());
  CHECK(status().has_value());
}

TEST_CASE_FIXTURE(Fixture, "a trial that fails leaves tailscaled alone for five seconds more") {
  open_breaker();
  tailscaled->set_fault(Fault::close);
  clock.advance(5'000);
  check_unavailable(whois().error(), "tailscaled does not answer at ");
  CHECK(tailscaled->count("whois") == 4);
  tailscaled->set_fault(Fault::none);
  clock.advance(4'999);
  check_unavailable(whois().error(), "asked again in a moment");
  clock.advance(1);
  CHECK(whois().has_value());
}

TEST_CASE_FIXTURE(Fixture, "answers that cannot be understood do not close tailscaled for those that can") {
  tailscaled->set_fault(Fault::wrong_types);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(whois().has_value());
  CHECK(tailscaled->count("whois") == 10);
  tailscaled->set_fault(Fault::none);
  CHECK(whois().has_value());
}

TEST_CASE_FIXTURE(Fixture, "only one question tries a tailscaled that failed, the others do not wait for it") {
  open_breaker();
  clock.advance(5'000);
  std::vector<bool> answered(4);
  struct Ask {
    static Task<void> one(LocalApi& api, std::vector<bool>& answered, std::size_t at) {
      const auto who = co_await api.whois(kAddress);
      answered[at] = who.has_value();
    }
  };
  for (std::size_t i = 0; i < answered.size(); ++i) loop.spawn(Ask::one(api, answered, i), nullptr);
  loop.run_until_idle();
  CHECK(answered == std::vector<bool>{true, false, false, false});
  CHECK(tailscaled->count("whois") == 4);
}

TEST_CASE_FIXTURE(Fixture, "failures count only in a row") {
  for (int i = 0; i < 4; ++i) {
    tailscaled->set_fault(Fault::close);
    CHECK_FALSE(whois().has_value());
    CHECK_FALSE(status().has_value());
    tailscaled->set_fault(Fault::none);
    CHECK(whois().has_value());
  }
}

TEST_CASE_FIXTURE(Fixture, "a tailscaled that comes back is noticed within five seconds") {
  tailscaled.reset();
  for (int i = 0; i < 10; ++i) CHECK(whois().error().code == Code::unavailable);
  start();
  tailscaled->set_whois(kIp, test::whois_answer());
  clock.advance(5'000);
  CHECK(whois().has_value());
}

TEST_CASE_FIXTURE(Fixture, "status asks who this node's user is where tailscaled leaves that out") {
  const auto told = status();
  REQUIRE(told.has_value());
  CHECK(told->user_id == 101);
  CHECK(told->login_name == "alice@example.com");
  CHECK(told->display_name == "Alice");
  const auto seen = tailscaled->seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].target == "/localapi/v0/status?peers=false");
  CHECK(seen[1].target == "/localapi/v0/whois?proto=tcp&addr=100%2E64%2E0%2E2");
}

TEST_CASE_FIXTURE(Fixture, "status asks no more where it knows all, or where there is no user") {
  Json answer = test::status_answer();
  answer["User"] = {{"101", {{"ID", 101}, {"LoginName", "alice@example.com"}}}};
  tailscaled->set_status(answer);
  CHECK(status()->login_name == "alice@example.com");
  tailscaled->set_status(test::status_answer({.user_id = 0, .tags = {"tag:server"}}));
  CHECK(status()->tags.size() == 1);
  answer = test::status_answer();
  answer["BackendState"] = "Stopped";
  tailscaled->set_status(answer);
  CHECK_FALSE(status()->is_running());
  tailscaled->set_status(Json::parse(R"({"BackendState":"NeedsLogin","Self":null})"));
  CHECK(status()->user_id == 0);
  CHECK(tailscaled->count("whois") == 0);
}

TEST_CASE_FIXTURE(Fixture, "a status whose user cannot be learnt is no status") {
  tailscaled->forget_whois(kIp);
  check_unavailable(status().error(), "tailscaled knows no device at 100.64.0.2.");
  tailscaled->set_whois(kIp, test::whois_answer({.user_id = 102}));
  check_unavailable(status().error(), "Self.UserID");
  tailscaled->set_default_whois(test::whois_answer());
  tailscaled->forget_whois(kIp);
  CHECK(status().has_value());
}

TEST_CASE_FIXTURE(Fixture, "a certificate comes as tailscaled gives it") {
  tailscaled->set_certificate(200, kPair);
  const auto pair = certificate();
  REQUIRE(pair.has_value());
  CHECK(pair->reveal() == kPair);
  CHECK(tailscaled->seen().at(0).target == "/localapi/v0/cert/laptop%2Etail-test%2Ets%2Enet?type=pair");
}

TEST_CASE_FIXTURE(Fixture, "a certificate that tailscaled refuses says why and what to do") {
  tailscaled->set_certificate(403, "cert access denied\n");
  const auto pair = certificate();
  REQUIRE_FALSE(pair.has_value());
  CHECK(pair.error().code == Code::upstream_failed);
  CHECK(pair.error().message ==
        "tailscaled refuses a certificate for laptop.tail-test.ts.net with status 403: cert access denied");
  CHECK(pair.error().action.find("sudo tailscale set --operator=$USER") != std::string::npos);
  CHECK(pair.error().action.find("TS_PERMIT_CERT_UID") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "what is no key and certificate is not taken for one, and its text is not shown") {
  for (const char* body : {"", "hello canary", "-----BEGIN EC PRIVATE KEY-----\ncanary\n-----END EC PRIVATE KEY-----\n",
                           "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"}) {
    tailscaled->set_certificate(200, body);
    const auto pair = certificate();
    REQUIRE_FALSE(pair.has_value());
    CHECK(pair.error().code == Code::upstream_failed);
    CHECK((pair.error().message + pair.error().action).find("canary") == std::string::npos);
  }
  tailscaled->set_certificate(200, kPair + std::string(256 << 10, '\n'));
  check_unavailable(certificate().error(), "the answer is longer than 262144 bytes");
}

TEST_CASE_FIXTURE(Fixture, "certificates neither wait for nor count as failures of the other questions") {
  tailscaled->set_fault(Fault::close);
  for (int i = 0; i < 3; ++i) check_unavailable(certificate().error(), "tailscaled does not answer at ");
  tailscaled->set_fault(Fault::none);
  CHECK(whois().has_value());
  open_breaker();
  tailscaled->set_certificate(200, kPair);
  CHECK(certificate().has_value());
}

}  // namespace
}  // namespace leger
