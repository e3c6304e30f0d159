#pragma once

// How rows of the audit are bound to one another. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/store/audit_record.h"

namespace leger {

// SHA-256 of "leger/audit/v1" ‖ the hash before ‖ u64 id, big-endian ‖ the record's bytes.
std::string audit_hash(std::string_view hash_before, std::uint64_t id, std::string_view record);
std::string audit_hash(std::string_view hash_before, std::uint64_t id, const AuditRecord& record);

}  // namespace leger
