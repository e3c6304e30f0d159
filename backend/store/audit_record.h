#pragma once

// One row of the audit as it is written, and its bytes. Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leger {

struct AuditRecord {
  std::string time;                      // RFC 3339
  std::string actor;                     // user_uuid; empty where nobody is known
  std::string source;                    // an IP address, `socket`, `deployment ID` or `legerd`
  std::string action;                    // `secret.read`, `deployment.install`, …
  std::string object;                    // the secret's name, the app's, …; never a value
  std::optional<std::uint64_t> version;  // of the object
  std::string outcome = "ok";            // or the code of the error
  std::string request_id;                // empty where no request was the cause
  std::uint64_t count = 1;               // how many alike this row stands for
};

// The fields of a record within its bytes.
struct AuditFields {
  std::array<std::string_view, 7> texts;  // in the order of the struct
  std::optional<std::uint64_t> version;
  std::uint64_t count = 0;
};

// Each text as u32 length and bytes, in the order of the struct ‖ one byte whether there is a version ‖ u64 version ‖
// u64 count; numbers big-endian.
void append_bytes(std::string& to, const AuditRecord& record);
// Of exactly these bytes; nothing for any others.
std::optional<AuditFields> audit_fields_of(std::string_view bytes);

void append_u32(std::string& to, std::uint32_t number);
void append_u64(std::string& to, std::uint64_t number);
// Of 4 or 8 bytes, big-endian.
std::uint64_t number_of(std::string_view bytes);

}  // namespace leger
