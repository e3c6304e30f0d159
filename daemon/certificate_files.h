#pragma once

// A certificate and its key in two files, as people and their certificate programs leave them. Blocking calls that take
// no time; loop thread.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "backend/base/error.h"
#include "daemon/tls_context.h"

namespace leger {

// Paths; symbolic links are followed, since certificate programs renew by moving one.
struct CertificateFiles {
  std::string chain;
  std::string key;
};

// What a file looked like; another mark is another file. All zero where there is none.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0;  // its content
  std::int64_t changed_ns = 0;   // anything of it, its mode too
  bool operator==(const FileMark&) const = default;
};
FileMark mark_of(const std::string& path);

// Reads both. Beside what TlsContext::make refuses: a file that is not there, is no regular file or is too large; a key
// that others than its owner may read or change.
Result<std::shared_ptr<TlsContext>> load_files(const CertificateFiles& files);

}  // namespace leger
