#pragma once

// The head of an answer in bytes: status line, what is said of the body, what a browser may make of it. Pure.

#include <string>
#include <string_view>

#include "daemon/http_types.h"

namespace leger {

struct AnswerStyle {
  std::string_view date;  // of the Date header
  bool keep_alive = false;
  bool http_1_0 = false;  // a body of unknown length ends with the connection then
};

// Whether an answer with this status has a body, and headers that describe it (RFC 9110 §15.3.5, §15.4.5).
bool has_content(int status);

// Puts the head into `out`, in place of what is there.
void write_head(std::string& out, const Response& response, const AnswerStyle& style);

}  // namespace leger
