#pragma once

// The last lines that a unit of this account's systemd wrote to the journal: those of its processes, of its containers
// (Podman's conmon writes them from within the unit), and what systemd itself says of it. Blocking: for the pool. A
// handle of its own each time; any thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace leger {

struct JournalQuery {
  std::string unit;
  std::int64_t since = 0;  // seconds since 1970
  std::size_t lines = 20;
  std::size_t bytes = std::size_t{64} * 1024;  // of all lines
};

// The newest that match, oldest first, bytes as they were written. Empty where the journal cannot be read: what is told
// of a failure is worth telling without it.
std::vector<std::string> read_journal(const JournalQuery& query);

}  // namespace leger
