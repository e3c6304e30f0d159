#pragma once

// Who does something and what it came by: handed to whatever must be on record. A value.

#include <string>

namespace leger {

struct Actor {
  std::string user_uuid;
  std::string source;      // as in AuditRecord
  std::string request_id;  // empty where no request was the cause
};

}  // namespace leger
