#include "daemon/router.h"

#include <algorithm>
#include <array>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMaxSegments = 16;
constexpr std::string_view kEveryPath = "*";

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

// Below these an unknown path is a mistake of a client's, which no page may hide.
bool is_of_api(const std::vector<std::string>& segments) {
  constexpr std::array<std::string_view, 4> kFolders{"api", "auth", "secrets", "metrics"};
  return segments.empty() || std::ranges::contains(kFolders, segments.front());
}

bool matches(const std::vector<std::string_view>& pattern, const std::vector<std::string>& segments) {
  if (pattern.front() == kEveryPath) return !is_of_api(segments);
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
  for (const std::string_view segment : pattern) count += segment.starts_with(':') || segment == kEveryPath ? 0 : 1;
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

}  // namespace

Router::Router(std::span<const Route> table) {
  for (const Route& route : table) entries_.push_back({&route, split(route.pattern.substr(1), '/')});
}

Result<Router::Match> Router::find(const Head& head) const {
  const auto segments = segments_of(head.path);
  if (!segments) return Fail(segments.error());
  Match match;
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (!matches(entry.segments, *segments)) continue;
    const bool more_literal = found == nullptr || literal_segments(entry.segments) > literal_segments(found->segments);
    if (takes(*entry.route, head.method) && more_literal) found = &entry;
    add_method(match.allow, entry.route->method);
    match.is_open = match.is_open || entry.route->scope == Scope::open;
  }
  if (!match.allow.empty()) add_method(match.allow, Method::options);
  if (found == nullptr || head.method == Method::options) return match;
  match.route = found->route;
  match.is_open = found->route->scope == Scope::open;
  for (std::size_t i = 0; i < found->segments.size(); ++i) {
    if (found->segments[i].starts_with(':')) match.parameters.push_back((*segments)[i]);
  }
  return match;
}

Result<void> Router::admit(const Match& match, const Head& head, const Caller* caller) {
  if (match.allow.empty()) return Fail({Code::not_found, "There is nothing at this path.", {}, {}});
  if (head.method == Method::options) return {};
  if (match.route == nullptr) {
    return Fail({Code::method_not_allowed, "This path does not take this method.", {}, {}});
  }
  // No session is behind the Unix socket. An operator from elsewhere, or a stolen token, is not at the host.
  const bool is_here = caller != nullptr && caller->is_operator && caller->session_id.empty();
  if (match.route->scope == Scope::host && !is_here) {
    return Fail({Code::insufficient_permissions,
                 "This is done only over the Unix socket.",
                 "Run it on the host itself, without --server.",
                 {}});
  }
  if (match.route->scope != Scope::op || (caller != nullptr && caller->is_operator)) return {};
  return Fail(
      {Code::insufficient_permissions,
       "This needs an operator of this host.",
       "An operator is the host's owner, who is listed in legerd.toml (operators = [USER ID]), or who holds the "
       "Tailscale app capability leger.run/cap/legerd with the role operator.",
       {}});
}

}  // namespace leger
