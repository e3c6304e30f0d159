#pragma once

// How rows of the audit are bound to one another. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/store/audit.h"

namespace leger {

// SHA-256 of "leger/audit/v1" ‖ the hash before ‖ u64 id ‖ each text as u32 length and bytes, in the order of the
// struct ‖ one byte whether there is a version ‖ u64 version ‖ u64 count; numbers big-endian.
std::string audit_hash(std::string_view hash_before, std::uint64_t id, const AuditRecord& record);

}  // namespace leger
