#pragma once

// Which route a request is for, and whether this caller may take it: the checks of the contract in the contract's
// order. The table is literal lines, one a route, each with its scope. Made by main; loop thread.

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "daemon/http_types.h"
#include "daemon/peer.h"

namespace leger {

struct RouteContext;

enum class Scope { open, user, op };  // public; any signed-in user; operators of this host
enum class Body { none, json, bundle };

using Handler = Task<Result<Response>> (*)(RouteContext&, Request&);

struct Route {
  // All of them: a route without a scope does not compile.
  constexpr Route(Method route_method, std::string_view route_pattern, Scope route_scope, Body route_body, Handler call)
      : method(route_method), pattern(route_pattern), scope(route_scope), body(route_body), handler(call) {}

  Method method;
  std::string_view pattern;  // `:name` takes one segment
  Scope scope;
  Body body;
  Handler handler;
};

// Every route of legerd, in the order of the contract.
std::span<const Route> routes();

class Router {
 public:
  // `owner_uuid` is the account that runs legerd.
  Router(std::span<const Route> table, std::string owner_uuid);

  struct Match {
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    Caller caller;
    std::string allow;  // set for OPTIONS, and beside method_not_allowed: the methods of this path
  };
  // Finds the route of a request and lets the caller through, or says why not. For OPTIONS `route` is null. On an
  // error, `match` still holds `allow`.
  Result<void> find(const Head& head, const Peer& peer, Match& match) const;

 private:
  struct Entry {
    const Route* route;
    std::vector<std::string_view> segments;
  };

  std::vector<Entry> entries_;
  std::string owner_uuid_;
};

}  // namespace leger
