#pragma once

// The SQL of the schema's steps, in their order, for migrations.h. Pure.

#include <span>

namespace leger {

// Step N is the (N-1)th. Each brings a database from the step before to its own, in a transaction of the caller's.
std::span<const char* const> schema_steps();

}  // namespace leger
