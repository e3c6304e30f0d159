#include "tests/fakes/fake_podman.h"

#include <doctest/doctest.h>

#include "tests/support.h"

namespace leger::test {
namespace {

// A fake that answers where it should fail would let a test pass that must not.
TEST_CASE("the fake Podman keeps, replaces and removes, and fails when told to") {
  const SystemClock clock;
  Loop loop(clock);
  FakePodman podman;
  podman.networks = {"n"};
  podman.in_use = {"n"};
  REQUIRE(run(loop, podman.put_secret("a", Secret("1"), {{"l", "x"}})).has_value());
  const std::string first_id = podman.stored.at("a").id;
  REQUIRE(run(loop, podman.put_secret("a", Secret("2"), {})).has_value());
  CHECK(podman.stored.at("a").id != first_id);
  CHECK(podman.stored.at("a").value == "2");
  CHECK(run(loop, podman.secrets()).value().size() == 1);
  CHECK_FALSE(run(loop, podman.remove_network("n")).has_value());
  podman.made_at["n"] = 7;
  CHECK(run(loop, podman.list_networks()).value().at(0).made_at == 7);
  CHECK(run(loop, podman.list_volumes()).value().empty());
  CHECK(run(loop, podman.remove_volume("absent")).has_value());
  podman.fail("put_secret", {Code::upstream_failed, "no", "retry", {}}, 2);
  CHECK(run(loop, podman.put_secret("b", Secret("1"), {})).has_value());
  CHECK_FALSE(run(loop, podman.put_secret("c", Secret("1"), {})).has_value());
  CHECK_FALSE(podman.stored.contains("c"));
  podman.stop();
  CHECK_FALSE(run(loop, podman.ping()).has_value());
  CHECK_FALSE(run(loop, podman.containers()).has_value());
  podman.mend();
  CHECK(run(loop, podman.ping()).has_value());
  CHECK(run(loop, podman.remove_secret("b")).has_value());
  CHECK(podman.calls.back() == "remove_secret b");
}

}  // namespace
}  // namespace leger::test
