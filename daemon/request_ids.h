#pragma once

// Numbers for requests, by which the rows that one request left in the audit are known to belong together. Owned by the
// server; loop thread.

#include <cstdint>
#include <string>

namespace leger {

class RequestIds {
 public:
  // Of this process: the first part is random, so that no number comes again after a restart.
  RequestIds();
  // `xxxxxxxx-N`
  std::string next() { return prefix_ + std::to_string(++last_); }

 private:
  std::string prefix_;
  std::uint64_t last_ = 0;
};

}  // namespace leger
