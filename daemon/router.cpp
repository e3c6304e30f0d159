#include "daemon/router.h"

#include <optional>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMaxSegments = 16;

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      break;
  }
  return "";
}

// The decoded segments of a path; an escape may not hide what would change their meaning.
Result<std::vector<std::string>> segments_of(std::string_view path) {
  const Fail refused({Code::bad_request, "The path of the request cannot be read.", {}, {}});
  std::vector<std::string> segments;
  if (!path.starts_with('/')) return segments;  // `*`: no route has it
  const auto parts = split(path.substr(1), '/');
  if (parts.size() > kMaxSegments) return segments;  // no route is that deep
  for (const std::string_view part : parts) {
    auto segment = percent_decode(part);
    if (!segment || segment->contains('/') || *segment == "." || *segment == "..") return refused;
    segments.push_back(std::move(*segment));
  }
  return segments;
}

bool matches(const std::vector<std::string_view>& pattern, const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool parameter = pattern[i].starts_with(':');
    if (parameter ? segments[i].empty() : pattern[i] != segments[i]) return false;
  }
  return true;
}

// How literal a pattern is: of two that match, the one with more literal segments is meant.
std::size_t literal_segments(const std::vector<std::string_view>& pattern) {
  std::size_t count = 0;
  for (const std::string_view segment : pattern) count += segment.starts_with(':') ? 0 : 1;
  return count;
}

bool takes(const Route& route, Method method) {
  return route.method == method || (route.method == Method::get && method == Method::head);
}

void add_method(std::string& allow, Method method) {
  const std::string_view name = name_of(method);
  for (const std::string_view there : split(allow, ',')) {
    if (there == name || there == " " + std::string(name)) return;
  }
  if (!allow.empty()) allow += ", ";
  allow += name;
  if (method == Method::get) add_method(allow, Method::head);
}

std::optional<Caller> caller_of(const Peer& peer, const std::string& owner_uuid) {
  if (peer.is_unix && peer.is_own_account) return Caller{.user_uuid = owner_uuid, .is_operator = true};
  return std::nullopt;
}

}  // namespace

Router::Router(std::span<const Route> table, std::string owner_uuid) : owner_uuid_(std::move(owner_uuid)) {
  for (const Route& route : table) entries_.push_back({&route, split(route.pattern.substr(1), '/')});
}

Result<void> Router::find(const Head& head, const Peer& peer, Match& match) const {
  if (peer.is_unix && !peer.is_own_account) {
    return Fail({Code::insufficient_permissions,
                 "This socket serves only the account that runs legerd, outside containers.",
                 {},
                 {}});
  }
  const auto segments = segments_of(head.path);
  if (!segments) return Fail(segments.error());
  const Entry* found = nullptr;
  bool is_open = false;
  for (const Entry& entry : entries_) {
    if (!matches(entry.segments, *segments)) continue;
    add_method(match.allow, entry.route->method);
    is_open = is_open || entry.route->scope == Scope::open;
    const bool more_literal = found == nullptr || literal_segments(entry.segments) > literal_segments(found->segments);
    if (takes(*entry.route, head.method) && more_literal) found = &entry;
  }
  const auto caller = caller_of(peer, owner_uuid_);
  if (!caller && !(found != nullptr ? found->route->scope == Scope::open : is_open)) {
    return Fail({Code::invalid_token,
                 "This needs a sign-in.",
                 "On the host itself use the Unix socket, which needs none: run leger without --server.",
                 {}});
  }
  if (match.allow.empty()) return Fail({Code::not_found, "There is nothing at this path.", {}, {}});
  add_method(match.allow, Method::options);
  if (head.method == Method::options) return {};
  if (found == nullptr) return Fail({Code::method_not_allowed, "This path does not take this method.", {}, {}});
  if (found->route->scope == Scope::op && !caller->is_operator) {
    return Fail({Code::insufficient_permissions, "This needs an operator of this host.", {}, {}});
  }
  match.route = found->route;
  if (caller) match.caller = *caller;
  for (std::size_t i = 0; i < segments->size(); ++i) {
    if (found->segments[i].starts_with(':')) match.parameters.push_back((*segments)[i]);
  }
  return {};
}

}  // namespace leger
