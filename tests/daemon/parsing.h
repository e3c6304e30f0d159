#pragma once

// Bytes through the MessageParser as a connection feeds it, and what it made of them as one text to compare. For the
// parser's tests.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leger::test {

// One line a request: `POST /path?query name=value;… [body]`, and `! code` where it refused to go on, `…` where it
// waits for more.
std::string parse_pieces(const std::vector<std::string_view>& pieces);
std::string parse_whole(std::string_view bytes);

// A request's bytes: `lines` after the request line and a Host, each with its line end; then the empty line and `body`.
std::string post(std::string_view lines, std::string_view body = {});

}  // namespace leger::test
