#pragma once

// Which route a request is for, and whether this caller may take it. The table is literal lines, one a route, each with
// its scope. Made by main; loop thread.

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "daemon/http_types.h"

namespace leger {

struct RouteContext;

// Public; any signed-in user; operators of this host, from anywhere; the host's own account, at the Unix socket.
enum class Scope { open, user, op, host };
enum class Body { none, json, bundle };

using Handler = Task<Result<Response>> (*)(RouteContext&, Request&);

struct Route {
  // All of them: a route without a scope does not compile.
  constexpr Route(Method route_method, std::string_view route_pattern, Scope route_scope, Body route_body, Handler call)
      : method(route_method), pattern(route_pattern), scope(route_scope), body(route_body), handler(call) {}

  Method method;
  // `:name` takes one segment, `*name` at the end all that follow, at least one; `/*` is every path that is not of the
  // API.
  std::string_view pattern;
  Scope scope;
  Body body;
  Handler handler;
};

// Every route of legerd, in the order of the contract.
std::span<const Route> routes();

// A path, cut at its slashes and decoded.
class PathSegments {
 public:
  static constexpr std::size_t kMost = 16;

  PathSegments() = default;
  PathSegments(const PathSegments&) = delete;
  PathSegments& operator=(const PathSegments&) = delete;

  // False for one that cannot be read. `path` outlives this; one that no route can have gives no segments.
  bool read(std::string_view path);
  std::size_t size() const { return count_; }
  std::string_view operator[](std::size_t i) const { return segments_[i]; }

 private:
  static bool is_plain(char byte);

  std::array<std::string_view, kMost> segments_;
  std::size_t count_ = 0;
  std::deque<std::string> decoded_;  // of those that had escapes; a deque does not move them
};

class Router {
 public:
  explicit Router(std::span<const Route> table);

  struct Match {
    const Route* route =
        nullptr;           // null for OPTIONS, for a path without routes, and for a method that it does not take
    bool is_open = false;  // a stranger may know what is at this path
    std::vector<std::string> parameters;
    std::string allow;  // where there is no route: the methods of this path; empty where there is nothing
  };
  // Finds the route of a request; bad_request for a path that cannot be read.
  Result<Match> find(const Head& head) const;

  // What is to be said once it is known who asks: not_found, method_not_allowed, insufficient_permissions. `caller` is
  // null for a stranger, who is let through to what is open only: ask it of nobody else without a caller.
  static Result<void> admit(const Match& match, const Head& head, const Caller* caller);

 private:
  struct Entry {
    const Route* route;
    std::vector<std::string_view> segments;
    std::size_t literal = 0;  // how many of them
  };

  std::string methods_of(const PathSegments& segments) const;

  std::vector<Entry> entries_;
  // Which of them can be meant, by the number of segments.
  std::array<std::vector<std::uint32_t>, PathSegments::kMost + 1> by_size_;
};

}  // namespace leger
