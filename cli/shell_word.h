#pragma once

// Words of a command line that people are to type. Pure.

#include <string>

namespace leger {

// `text` as one word of a shell: as it is where that is one, else in quotes.
std::string shell_word(const std::string& text);

}  // namespace leger
