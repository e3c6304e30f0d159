#include "backend/store/seal_count.h"

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

struct CountedStore : Store {
  CountedStore() { add_key(1); }

  enum class End { committed, undone };
  // One seal of the key, and the end of the transaction that it belongs to.
  Result<Seals> seal(std::uint32_t key_id = 1, End end = End::committed) {
    Seals seals;
    const auto written = run(database().write([&](Connection& connection) -> Result<void> {
      const auto counted = count.count(connection, key_id);
      if (!counted) return Fail(counted.error());
      seals = *counted;
      if (end == End::undone) return Fail({Code::internal_error, "undone", {}, {}});
      return {};
    }));
    if (!written) return Fail(written.error());
    count.committed(seals);
    return seals;
  }
  void seal_singly() {
    for (std::uint32_t i = 1; i <= SealCount::kSingle; ++i) REQUIRE(seal()->stored == i);
  }
  // Statements are kept by their address: literals.
  std::int64_t stored() { return number("SELECT seals FROM data_keys WHERE key_id = 1"); }
  std::int64_t stored_of_second() { return number("SELECT seals FROM data_keys WHERE key_id = 2"); }

  SealCount count;
};

}  // namespace

TEST_CASE("seals are counted one by one at first, then a block ahead, and no more is stored until that is used up") {
  CountedStore store;
  store.seal_singly();
  CHECK(store.stored() == SealCount::kSingle);
  constexpr std::uint64_t kAhead = SealCount::kSingle + 1 + SealCount::kBlock;
  for (std::uint32_t i = 0; i <= SealCount::kBlock; ++i) REQUIRE(store.seal()->stored == kAhead);
  CHECK(store.stored() == kAhead);
  CHECK(store.seal()->stored == kAhead + 1 + SealCount::kBlock);
}

TEST_CASE("a block that was not committed is not drawn on") {
  CountedStore store;
  store.seal_singly();
  CHECK_FALSE(store.seal(1, CountedStore::End::undone));
  CHECK(store.stored() == SealCount::kSingle);
  CHECK(store.seal()->ahead == SealCount::kBlock);
  // A seal that is counted ahead and then undone is one too many, never one too few.
  CHECK_FALSE(store.seal(1, CountedStore::End::undone));
  for (std::uint32_t i = 1; i < SealCount::kBlock; ++i) REQUIRE(store.seal()->ahead == 0);
  CHECK(store.seal()->ahead == SealCount::kBlock);
}

TEST_CASE("what was counted ahead of one key is not another's, and a new process begins anew") {
  CountedStore store;
  store.add_key(2);
  store.seal_singly();
  REQUIRE(store.seal()->ahead == SealCount::kBlock);
  CHECK(store.seal(2)->stored == 1);
  CHECK(store.stored_of_second() == 1);
  CHECK(store.seal()->ahead == 0);
  CHECK(store.seal(7).error().code == Code::internal_error);
  SealCount next;
  const std::int64_t before = store.stored();
  REQUIRE(store.run(store.database().write([&](Connection& connection) -> Result<void> {
    const auto counted = next.count(connection, 1);
    if (!counted) return Fail(counted.error());
    return {};
  })));
  CHECK(store.stored() == before + 1);
}
