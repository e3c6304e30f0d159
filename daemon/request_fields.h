#pragma once

// Reading requests: JSON bodies with a fixed set of fields, numbers in paths and queries. Pure; errors are the
// contract's.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "backend/service/actor.h"
#include "daemon/http_types.h"

namespace leger {

// Where a peer is, for the record: its address, or `socket` for the Unix socket.
std::string source_of(const Peer& peer);
// Who asks, for the record.
Actor actor_of(const Request& request);

// The body as an object that has no other fields than `known`; invalid_request otherwise.
Result<Json> read_object(const Request& request, std::initializer_list<std::string_view> known);

// A field that may be absent and is a whole number from 0; invalid_request for anything else.
Result<std::optional<std::uint64_t>> optional_number(const Json& object, const char* name);

// A number in the query, within bounds; nothing where it is absent.
Result<std::optional<std::uint64_t>> query_number(const Request& request, std::string_view name, std::uint64_t least,
                                                  std::uint64_t most);

// A version in the path: a whole number from 1. `missing` is the error for anything else.
Result<std::uint64_t> path_version(const Request& request, Error missing);

}  // namespace leger
