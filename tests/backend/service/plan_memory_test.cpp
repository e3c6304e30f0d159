#include "backend/service/plan_memory.h"

#include <doctest/doctest.h>

namespace leger {

TEST_CASE("A plan is remembered for the one who saw it, the newest ones only") {
  PlanMemory memory;
  memory.remember("first", "alice", 1);
  CHECK(memory.version_of("first", "alice") == 1);
  CHECK_FALSE(memory.version_of("first", "bob"));
  CHECK_FALSE(memory.version_of("other", "alice"));
  memory.remember("first", "bob", 2);
  CHECK(memory.version_of("first", "alice") == 1);
  CHECK(memory.version_of("first", "bob") == 2);
  for (std::size_t i = 1; i < PlanMemory::kMost; ++i) memory.remember("plan " + std::to_string(i), "alice", i);
  CHECK_FALSE(memory.version_of("first", "alice"));
  CHECK(memory.version_of("first", "bob") == 2);
  memory.remember("first", "bob", 3);  // shown again: it is the newest now
  memory.remember("last", "alice", 4);
  CHECK(memory.version_of("first", "bob") == 3);
  CHECK_FALSE(memory.version_of("plan 1", "alice"));
}

}  // namespace leger
