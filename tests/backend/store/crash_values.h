#pragma once

// What the kill test and the program that it kills agree on: who writes, and values that tell what they are.

#include <cstdint>

#include "tests/backend/store/fixture.h"

namespace leger::test {

inline constexpr int kWriters = 16;

// A value that tells of which secret and version it is.
inline SealedValue value_for(int writer, std::uint64_t version) {
  return sealed_value(version * 100 + static_cast<std::uint64_t>(writer));
}

}  // namespace leger::test
