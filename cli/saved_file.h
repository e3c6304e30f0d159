#pragma once

// A file that the user asked for, in a place that the user chose: there whole or not at all, also when leger is killed
// while it writes. Blocking, any thread.

#include <string>
#include <string_view>

#include "backend/base/error.h"

namespace leger {

enum class Existing { keep, replace };

// Whether save_file() may write there: conflict where something is in the way, which is any file with Existing::keep,
// and always what is no regular file. Asked before the content is fetched.
Result<void> check_place(const std::string& path, Existing existing);

// Writes the content beside `path`, then gives it that name. The error is that of check_place(), or
// insufficient_storage on a full disk.
Result<void> save_file(const std::string& path, std::string_view content, Existing existing);

}  // namespace leger
