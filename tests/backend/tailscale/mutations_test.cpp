// Answers of tailscaled, damaged at random: none is a crash, and none gives an identity that was not in it.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "backend/base/json.h"
#include "backend/tailscale/node.h"
#include "tests/fakes/fake_tailscaled.h"

namespace leger {
namespace {

constexpr std::int64_t kNow = 1'790'000'000;
constexpr int kRounds = 3000;

class Damage {
 public:
  explicit Damage(std::uint32_t seed) : random_(seed) {}

  std::string of(const Json& answer) {
    switch (below(4)) {
      case 0:
        return truncated(dump(answer));
      case 1:
        return flipped(dump(answer));
      case 2:
        return dump(without_field(answer));
      default:
        return dump(with_odd_field(answer));
    }
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  std::string truncated(std::string text) {
    text.resize(below(text.size() + 1));
    return text;
  }
  std::string flipped(std::string text) {
    for (std::size_t count = 1 + below(3); count > 0; --count) {
      char& byte = text[below(text.size())];
      byte = static_cast<char>(byte ^ (1 << below(8)));
    }
    return text;
  }
  // Some object or array of the answer, the answer itself among them.
  Json& some_part(Json& answer) {
    Json* part = &answer;
    while (!part->empty() && below(4) != 0) {
      auto inner = part->begin();
      std::advance(inner, below(part->size()));
      if (!inner->is_structured() || inner->empty()) break;
      part = &*inner;
    }
    return *part;
  }
  Json without_field(Json answer) {
    Json& part = some_part(answer);
    auto field = part.begin();
    std::advance(field, below(part.size()));
    part.erase(field);
    return answer;
  }
  Json with_odd_field(Json answer) {
    const std::vector<Json> odd = {nullptr,       true,          -1, 0, 101, 1.5, UINT64_MAX, "", "101",
                                   Json::array(), Json::object()};
    Json& part = some_part(answer);
    auto field = part.begin();
    std::advance(field, below(part.size()));
    *field = odd[below(odd.size())];
    return answer;
  }

  std::mt19937 random_;
};

bool holds(const std::string& text, std::int64_t number) {
  return text.find(std::to_string(number)) != std::string::npos;
}

TEST_CASE("a damaged whois answer never gives a user who is not in it") {
  const Json answer = test::whois_answer(
      {.user_id = 9'007'199'254'740'993, .roles = {"operator"}, .key_expiry = "2030-01-01T00:00:00Z"});
  Damage damage(1);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = damage.of(answer);
    CAPTURE(text);
    const auto reply = parse_reply(text, "tailscaled", 1 << 20);
    if (!reply) continue;
    const auto who = read_whois(*reply, kNow);
    if (!who) continue;
    ++accepted;
    REQUIRE(holds(text, who->user_id));
    REQUIRE((!who->tags.empty() || (*reply)["Node"]["User"] == who->user_id));
    REQUIRE((*reply)["UserProfile"]["ID"] == who->user_id);
    if (judge_node(*who)) REQUIRE((*reply)["Node"]["MachineAuthorized"] == true);
  }
  // Both kinds came: the test would be idle otherwise.
  CHECK(accepted > kRounds / 20);
  CHECK(accepted < kRounds * 19 / 20);
}

TEST_CASE("a damaged status never gives a user or an address that is not in it") {
  Json answer = test::status_answer({.user_id = 9'007'199'254'740'993});
  answer["User"] = {{"9007199254740993", {{"ID", 9'007'199'254'740'993}, {"LoginName", "alice@example.com"}}}};
  Damage damage(2);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = damage.of(answer);
    CAPTURE(text);
    const auto reply = parse_reply(text, "tailscaled", 1 << 20);
    if (!reply) continue;
    const auto status = read_status(*reply);
    if (!status) continue;
    ++accepted;
    if (!status->is_running()) continue;
    REQUIRE((!status->tags.empty() || status->user_id > 0));
    REQUIRE((status->user_id == 0 || holds(text, status->user_id)));
    REQUIRE(!status->ips.empty());
  }
  CHECK(accepted > kRounds / 20);
  CHECK(accepted < kRounds * 19 / 20);
}

}  // namespace
}  // namespace leger
