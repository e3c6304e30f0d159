#pragma once

// Where secrets come from: the command line, standard input or a file. Bounded, so that a device or an endless pipe
// ends in an error. Blocking, one thread.

#include <cstddef>
#include <string>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "cli/io.h"

namespace leger {

constexpr std::size_t kMaxSecretBytes = 511'999;  // Podman's own bound

enum class FinalNewline { drop_of_one_line, keep };

// `source` is `-` for all of standard input, `@FILE` (`@~/` is in the home folder) for all of a file, else the value.
// `newline` says what becomes of the final newline of a one-line text from standard input. The error is invalid_request
// for an empty value or a file that cannot be read, secret_value_too_large.
Result<Secret> read_secret_value(const std::string& source, FinalNewline newline, const Io& io);

// All of the file `path`, or of standard input for `-`. The error is invalid_request where it cannot be read,
// body_too_large beyond `max_bytes`.
Result<Secret> read_secret_file(const std::string& path, std::size_t max_bytes, const Io& io);

}  // namespace leger
