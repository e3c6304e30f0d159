#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "backend/base/text.h"
#include "daemon/byte_ranges.h"
#include "daemon/downloads.h"
#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

// A weight of zero refuses what it stands at (RFC 9110 §12.4.2).
bool is_refused(std::string_view parameters) {
  for (std::string_view parameter : split(parameters, ';')) {
    parameter = without_blanks(parameter);
    if (!equal_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

bool accepts(const Head& head, std::string_view type) {
  for (const Header& header : head.headers) {
    if (!equal_ignoring_case(header.name, "accept")) continue;
    for (const std::string_view range : split(header.value, ',')) {
      const std::size_t semicolon = std::min(range.find(';'), range.size());
      if (!equal_ignoring_case(without_blanks(range.substr(0, semicolon)), type)) continue;
      return !is_refused(range.substr(semicolon));
    }
  }
  return false;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.first + range.length - 1) + "/" +
         std::to_string(size);
}

Response not_satisfiable(const Request& request, std::uint64_t size) {
  Response response = failure({Code::range_not_satisfiable,
                               "The bundle has " + std::to_string(size) + " bytes.",
                               "Ask for a range within them.",
                               {}},
                              request.head.path, {});
  response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
  return response;
}

Task<Result<Response>> send_part(RouteContext& context, Release release, ByteRange range, Response response) {
  auto part = co_await context.releases.read(std::move(release), range.first, range.length);
  if (!part) co_return Fail(part.error());
  response.body = std::move(part->bytes);
  if (part->file) response.file = FileBody{std::move(part->file), range.first, range.length};
  co_return response;
}

Task<Result<Response>> send_bundle(RouteContext& context, Request& request, Release release) {
  const std::uint64_t size = release.bundle_size_bytes;
  const std::string etag = "\"" + release.sha256 + "\"";
  const Selection selection = select_bytes(request.head, etag, size);
  if (std::holds_alternative<Unsatisfiable>(selection)) co_return not_satisfiable(request, size);
  Response response{.content_type = "application/gzip"};
  response.headers.emplace_back("ETag", etag);
  // The same path gives what is known of the release to others.
  response.headers.emplace_back("Vary", "Accept");
  if (std::holds_alternative<NotModified>(selection)) {
    response.status = 304;
    co_return response;
  }
  response.headers.emplace_back("Accept-Ranges", "bytes");
  response.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + release.deployment_name + "-v" +
                                                           std::to_string(release.version) + ".tar.gz\"");
  ByteRange range{0, size};
  if (const auto* part = std::get_if<ByteRange>(&selection)) {
    range = *part;
    response.status = 206;
    response.headers.emplace_back("Content-Range", content_range(range, size));
  }
  co_return co_await send_part(context, std::move(release), range, std::move(response));
}

}  // namespace

Error no_such_release() {
  return {Code::release_not_found, "There is no such release.", "See which: leger releases list", {}};
}

Result<Release> release_in_path(const RouteContext& context, const Request& request) {
  const auto version = path_version(request, no_such_release());
  if (!version) return Fail(version.error());
  return context.releases.get(request.caller.user_uuid, *version);
}

bool wants_bundle(const Head& head) { return accepts(head, "application/gzip") && !accepts(head, "application/json"); }

Task<Result<Response>> download_release(RouteContext& context, Request& request) {
  auto release = release_in_path(context, request);
  if (!release) co_return Fail(release.error());
  co_return co_await send_bundle(context, request, *std::move(release));
}

Task<Result<Response>> download_latest_release(RouteContext& context, Request& request) {
  auto release = context.releases.latest(request.caller.user_uuid, request.query("name").value_or(""));
  if (!release) co_return Fail(release.error());
  co_return co_await send_bundle(context, request, *std::move(release));
}

Task<Result<Response>> get_release_file(RouteContext& context, Request& request) {
  auto release = release_in_path(context, request);
  if (!release) co_return Fail(release.error());
  auto text = co_await context.releases.read_text(*std::move(release), request.parameters.back());
  if (!text) co_return Fail(text.error());
  Response response{.content_type = "text/plain; charset=utf-8"};
  response.body = *std::move(text);
  co_return response;
}

}  // namespace leger
