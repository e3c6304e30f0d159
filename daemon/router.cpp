#include "daemon/router.h"

#include <algorithm>
#include <array>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

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

// Below these an unknown path is a mistake of a client's, which no page may hide.
bool is_of_api(const PathSegments& segments) {
  constexpr std::array<std::string_view, 4> kFolders{"api", "auth", "secrets", "metrics"};
  return segments.size() == 0 || std::ranges::contains(kFolders, segments[0]);
}

bool matches(const std::vector<std::string_view>& pattern, const PathSegments& segments) {
  if (pattern.front() == kEveryPath) return !is_of_api(segments);
  const bool takes_rest = pattern.back().starts_with('*');
  if (takes_rest ? segments.size() < pattern.size() : segments.size() != pattern.size()) return false;
  const std::size_t single = pattern.size() - (takes_rest ? 1 : 0);
  // From the end, since nearly all begin alike.
  for (std::size_t i = single; i-- > 0;) {
    const bool parameter = pattern[i].starts_with(':');
    if (parameter ? segments[i].empty() : pattern[i] != segments[i]) return false;
  }
  return true;
}

// How literal a pattern is: of two that match, the one with more literal segments is meant.
std::size_t literal_segments(const std::vector<std::string_view>& pattern) {
  std::size_t count = 0;
  for (const std::string_view segment : pattern) count += segment.starts_with(':') || segment.starts_with('*') ? 0 : 1;
  return count;
}

// The segments from `first` on, as one path.
std::string rest_of(const PathSegments& segments, std::size_t first) {
  std::string rest;
  for (std::size_t i = first; i < segments.size(); ++i) {
    if (i != first) rest += '/';
    rest += segments[i];
  }
  return rest;
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

// No escape, and ASCII: percent_decode() would give it back as it is.
bool PathSegments::is_plain(char byte) { return byte != '%' && byte > ' ' && byte <= '~'; }

// An escape may not hide what would change the meaning of a segment.
bool PathSegments::read(std::string_view path) {
  if (!path.starts_with('/')) return true;  // `*`: no route has it
  for (std::string_view rest = path.substr(1);;) {
    if (count_ == kMost) {
      count_ = 0;  // no route is that deep
      return true;
    }
    const std::size_t end = std::min(rest.find('/'), rest.size());
    std::string_view segment = rest.substr(0, end);
    if (!std::ranges::all_of(segment, is_plain)) {
      auto decoded = percent_decode(segment);
      if (!decoded || decoded->contains('/')) return false;
      segment = decoded_.emplace_back(std::move(*decoded));
    }
    if (segment == "." || segment == "..") return false;
    segments_.at(count_++) = segment;
    if (end == rest.size()) return true;
    rest.remove_prefix(end + 1);
  }
}

Router::Router(std::span<const Route> table) {
  for (const Route& route : table) {
    auto segments = split(route.pattern.substr(1), '/');
    const std::size_t literal = literal_segments(segments);
    const std::size_t size = segments.size();
    const auto number = static_cast<std::uint32_t>(entries_.size());
    for (std::size_t i = 0; i < by_size_.size(); ++i) {
      const bool takes_rest = segments.back().starts_with('*');  // kEveryPath too, which takes any number
      if (i == size || (takes_rest && (i > size || segments.front() == kEveryPath))) by_size_[i].push_back(number);
    }
    entries_.push_back({.route = &route, .segments = std::move(segments), .literal = literal});
  }
}

std::string Router::methods_of(const PathSegments& segments) const {
  std::string allow;
  for (const Entry& entry : entries_) {
    if (matches(entry.segments, segments)) add_method(allow, entry.route->method);
  }
  if (!allow.empty()) add_method(allow, Method::options);
  return allow;
}

Result<Router::Match> Router::find(const Head& head) const {
  PathSegments segments;
  if (!segments.read(head.path)) return Fail({Code::bad_request, "The path of the request cannot be read.", {}, {}});
  Match match;
  const Entry* found = nullptr;
  for (const std::uint32_t number : by_size_.at(segments.size())) {
    const Entry& entry = entries_[number];
    if (!matches(entry.segments, segments)) continue;
    match.is_open = match.is_open || entry.route->scope == Scope::open;
    const bool more_literal = found == nullptr || entry.literal > found->literal;
    if (more_literal && takes(*entry.route, head.method)) found = &entry;
  }
  if (found == nullptr || head.method == Method::options) {
    match.allow = methods_of(segments);
    return match;
  }
  match.route = found->route;
  match.is_open = found->route->scope == Scope::open;
  for (std::size_t i = 0; i < found->segments.size(); ++i) {
    if (found->segments[i].starts_with(':')) match.parameters.emplace_back(segments[i]);
    if (found->segments[i].starts_with('*')) match.parameters.push_back(rest_of(segments, i));
  }
  return match;
}

Result<void> Router::admit(const Match& match, const Head& head, const Caller* caller) {
  if (match.route == nullptr && match.allow.empty()) {
    return Fail({Code::not_found, "There is nothing at this path.", {}, {}});
  }
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
