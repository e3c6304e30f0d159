#include <string>

#include "backend/service/addresses.h"
#include "daemon/page.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr const char* kForEver = "public, max-age=31536000, immutable";

// Over plain HTTP to another machine a browser ignores this header, and complains of it in its console.
bool takes_opener_policy(const Peer& peer) { return peer.is_tls || is_loopback(peer.local_ip); }

}  // namespace

Task<Result<Response>> get_page(RouteContext&, Request& request) {
  Response response{.is_page = true};
  if (request.head.path == "/") {
    response.status = 302;
    response.headers.emplace_back("Location", "/api-keys");
    co_return response;
  }
  const PageFile* asset = page_file(request.head.path);
  if (asset == nullptr && request.head.path.starts_with("/assets/")) {
    co_return Fail({Code::not_found, "There is nothing at this path.", {}, {}});
  }
  const PageFile& file = asset != nullptr ? *asset : page_index();
  // What is asked for by the version that it has may be kept: another version has another address.
  const bool is_versioned = asset != nullptr && request.query("v") == page_version();
  response.content_type = file.content_type;
  response.headers.emplace_back("ETag", file.etag);
  response.cache_control = is_versioned ? kForEver : "no-cache";
  if (takes_opener_policy(request.peer)) response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  if (request.head.header("if-none-match") == file.etag) {
    response.status = 304;
    co_return response;
  }
  response.body = file.bytes;
  co_return response;
}

}  // namespace leger
