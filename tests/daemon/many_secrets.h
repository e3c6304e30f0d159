#pragma once

// A state folder with so many secrets that their list is an answer of megabytes. Written straight into the database of
// a daemon that has ended: it is about answers, not about encryption.

#include <cstddef>
#include <memory>

#include "tests/support.h"

namespace leger::test {

// The folder for DaemonSettings.
std::shared_ptr<TemporaryFolder> folder_with_secrets(std::size_t count);

}  // namespace leger::test
