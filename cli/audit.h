#pragma once

// leger audit and leger audit verify. Each gives the exit code.

#include <cstdint>

#include "cli/audit_pages.h"
#include "cli/context.h"

namespace leger {

struct AuditOptions {
  std::uint64_t limit = 50;
  AuditFilter filter;
};

int show_audit(const Context& context, const AuditOptions& options);
// Fails where the chain is broken.
int verify_audit(const Context& context);

}  // namespace leger
