#pragma once

// JSON at the edges: strict reading of what others send, with bounds, and writing that keeps the order of fields.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"

namespace leger {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t depth = 64;
  std::size_t string_bytes = 1000;  // keys and values; fields named `value` and `value_base64` are exempt
  std::size_t fields = 1000;  // of one object: Json looks a field up by going through them, which is quadratic in all
};

// Reads one JSON text: UTF-8, no duplicate keys, within `limits`. The error is invalid_request and says what is wrong.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

// Reads JSON of a program we asked (Podman, tailscaled): bounded by `max_bytes`, no other limits but syntax, depth 64,
// 10 000 fields of one object and none of them twice.
// The error is upstream_failed and names `who`.
Result<Json> parse_reply(std::string_view text, std::string_view who, std::size_t max_bytes);

// The value in JSON text; bytes that are not UTF-8 become U+FFFD.
std::string dump(const Json& value);

// Appends `text`, which is UTF-8, as a JSON string, as dump() would write it. `out` with room for it does not move: a
// value that must be wiped afterwards leaves no copy behind.
void append_json_string(std::string& out, std::string_view text);

// Fields of an object, by type; nothing where the field is absent or of another type.
std::optional<std::string> text_field(const Json& object, const char* name);
std::optional<std::int64_t> integer_field(const Json& object, const char* name);
std::optional<bool> bool_field(const Json& object, const char* name);

}  // namespace leger
