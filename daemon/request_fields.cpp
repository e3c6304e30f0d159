#include "daemon/request_fields.h"

#include <algorithm>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

Fail invalid(std::string message) { return Fail({Code::invalid_request, std::move(message), {}, {}}); }

}  // namespace

std::string source_of(const Peer& peer) { return peer.is_unix ? "socket" : peer.ip; }

Actor actor_of(const Request& request) {
  return {.user_uuid = request.caller.user_uuid, .source = source_of(request.peer), .request_id = request.id};
}

Result<Json> read_object(const Request& request, std::initializer_list<std::string_view> known) {
  auto body = parse_json(request.body);
  if (!body) return body;
  if (!body->is_object()) return invalid("The body must be a JSON object.");
  for (const auto& [name, value] : body->items()) {
    if (std::ranges::contains(known, name)) continue;
    return invalid("The field \"" + escape_controls(name.substr(0, 64)) + "\" is not known here.");
  }
  return body;
}

Result<std::optional<std::uint64_t>> optional_number(const Json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  const auto value = integer_field(object, name);
  if (!value || *value < 0) return invalid(std::string("The field \"") + name + "\" must be a whole number from 0.");
  return static_cast<std::uint64_t>(*value);
}

Result<std::optional<std::uint64_t>> query_number(const Request& request, std::string_view name, std::uint64_t least,
                                                  std::uint64_t most) {
  const auto text = request.query(name);
  if (!text) return std::nullopt;
  const auto number = parse_number(*text);
  if (number && *number >= least && *number <= most) return number;
  return invalid("The query parameter \"" + std::string(name) + "\" must be a whole number from " +
                 std::to_string(least) + " to " + std::to_string(most) + ".");
}

Result<std::uint64_t> path_version(const Request& request, Error missing) {
  const auto version = parse_number(request.parameters.front());
  if (!version || *version == 0 || std::cmp_greater(*version, INT64_MAX)) return Fail(std::move(missing));
  return *version;
}

}  // namespace leger
