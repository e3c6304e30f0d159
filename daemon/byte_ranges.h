#pragma once

// Which bytes of a stored body a request asks for: the conditions and ranges of RFC 9110 §13 and §14, for one strong
// entity tag. Pure.

#include <cstdint>
#include <string>
#include <variant>

#include "daemon/http_types.h"

namespace leger {

struct Whole {};
struct NotModified {};    // the client has it: 304
struct Unsatisfiable {};  // 416
struct ByteRange {        // 206
  std::uint64_t first;
  std::uint64_t length;
};
using Selection = std::variant<Whole, ByteRange, NotModified, Unsatisfiable>;

// What `head`, a GET or HEAD, asks for of a body of `size` bytes whose entity tag is `etag`, quotes included. Several
// ranges, and what is no range, are answered with the whole, as the RFC allows; If-Range takes the tag alone.
Selection select_bytes(const Head& head, const std::string& etag, std::uint64_t size);

}  // namespace leger
