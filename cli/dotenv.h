#pragma once

// Secrets as lines of a dotenv file: `NAME=VALUE`, perhaps after `export`, blank lines and `#` comments. A value in
// single quotes stands as it is; in double quotes \n \r \t \" \\ \$ are escapes; both may go over several lines.
// Without quotes it ends at ` #` or the end of the line, without the blanks around it. Pure; errors name lines and
// never show what is in them, since it may be a piece of a secret.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/secret.h"

namespace leger {

struct DotenvEntry {
  std::string name;  // a secret's, none twice
  Secret value;      // 1 to kMaxSecretBytes bytes
};

// All entries in order. `source` names the file in messages. invalid_request, invalid_secret_name or
// secret_value_too_large where a line is wrong.
Result<std::vector<DotenvEntry>> read_dotenv(std::string_view text, const std::string& source);

// One line, newline included, that read_dotenv() reads back to the same bytes.
Secret dotenv_line(const std::string& name, const Secret& value);

}  // namespace leger
