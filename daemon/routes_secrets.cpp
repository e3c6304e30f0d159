#include <algorithm>
#include <memory>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::uint32_t kPage = 500;

Json describe(const SecretInfo& info) {
  return {
      {"name", info.name}, {"created_at", info.created_at}, {"updated_at", info.updated_at}, {"version", info.version}};
}

// The list in pages: however many there are, one page is in memory.
struct SecretPages {
  SecretService& secrets;
  std::string user_uuid;
  std::string after;
  std::uint64_t left;
  std::uint64_t total;
  bool begun = false;
  bool ended = false;

  Result<std::string> next() {
    if (ended) return std::string();
    const auto limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, kPage));
    const auto page = secrets.list(user_uuid, after, limit);
    if (!page) return Fail(page.error());
    std::string text = begun ? "" : R"({"success":true,"data":{"secrets":[)";
    for (const SecretInfo& info : *page) {
      if (begun) text += ',';
      begun = true;
      text += dump(describe(info));
    }
    left -= page->size();
    if (!page->empty()) after = page->back().name;
    ended = page->size() < limit || left == 0;
    if (ended) text += R"(],"total_count":)" + std::to_string(total) + "}}";
    return text;
  }
};

constexpr std::size_t kRest = 512;  // bytes of an answer about one secret, beside its value

// What follows its name. Names and times need no escapes.
void append_facts(std::string& body, const SecretInfo& info) {
  body += R"(,"version":)";
  body += std::to_string(info.version);
  body += R"(,"created_at":")";
  body += info.created_at;
  body += R"(","updated_at":")";
  body += info.updated_at;
}

// The answer with a value, put together by hand: in a buffer that does not move, so that no copy of the value stays
// behind.
std::string with_value(const SecretValue& secret) {
  constexpr std::size_t kMostEscaped = 6;  // bytes that JSON makes of one
  const std::string_view value = secret.value.reveal();
  const SecretInfo& info = secret.info;
  std::string body;
  body.reserve(value.size() * kMostEscaped + kRest);
  body += R"({"success":true,"data":{"name":")";
  body += info.name;
  body += '"';
  if (is_utf8(value)) {
    body += R"(,"value":)";
    append_json_string(body, value);
  } else {
    body += R"(,"value_base64":")";
    std::string text = base64_encode(value);
    body += text;
    body += '"';
    wipe(text);
  }
  append_facts(body, info);
  body += R"("}})";
  return body;
}

Result<Secret> value_of(Json& body) {
  const bool as_text = body.contains("value");
  if (as_text == body.contains("value_base64")) {
    return Fail({Code::invalid_request, "Give the value as \"value\" or as \"value_base64\".", {}, {}});
  }
  Json& field = body[as_text ? "value" : "value_base64"];
  if (!field.is_string()) return Fail({Code::invalid_request, "The value must be a JSON string.", {}, {}});
  auto& text = field.get_ref<std::string&>();
  if (as_text) {
    Secret value{text};
    wipe(text);
    return value;
  }
  auto bytes = base64_decode(text);
  wipe(text);
  if (!bytes) return Fail({Code::invalid_request, "value_base64 is not base64.", {}, {}});
  Secret value{*bytes};
  wipe(*bytes);
  return value;
}

// By hand as well, since it is on the way of every change.
Response changed(const PutOutcome& put) {
  Response response{.status = put.created ? 201 : 200};
  std::string& body = response.body;
  body.reserve(kRest);
  body += R"({"success":true,"data":{"name":")";
  body += put.info.name;
  body += '"';
  append_facts(body, put.info);
  body += R"(","message":")";
  body += put.created ? "created successfully" : "updated successfully";
  body += R"("}})";
  return response;
}

Task<Result<Response>> set(RouteContext& context, Request& request, std::string name, Json body) {
  const auto if_version = optional_number(body, "if_version");
  if (!if_version) co_return Fail(if_version.error());
  auto value = value_of(body);
  if (!value) co_return Fail(value.error());
  const auto put = co_await context.secrets.set(actor_of(request), std::move(name), std::move(*value), *if_version);
  if (!put) co_return Fail(put.error());
  co_return changed(*put);
}

}  // namespace

Task<Result<Response>> list_secrets(RouteContext& context, Request& request) {
  const auto limit = query_number(request, "limit", 1, 1'000'000);
  if (!limit) co_return Fail(limit.error());
  const auto total = context.secrets.count(request.caller.user_uuid);
  if (!total) co_return Fail(total.error());
  auto pages = std::make_shared<SecretPages>(SecretPages{.secrets = context.secrets,
                                                         .user_uuid = request.caller.user_uuid,
                                                         .after = request.query("after").value_or(""),
                                                         .left = limit->value_or(UINT64_MAX),
                                                         .total = *total});
  auto first = pages->next();
  if (!first) co_return Fail(first.error());
  Response response;
  if (pages->ended) {
    response.body = std::move(*first);
    co_return response;
  }
  auto kept = std::make_shared<std::string>(std::move(*first));
  response.source = [pages, kept]() -> Result<std::string> {
    return kept->empty() ? pages->next() : std::exchange(*kept, {});
  };
  co_return response;
}

Task<Result<Response>> get_secret(RouteContext& context, Request& request) {
  const auto version = query_number(request, "version", 1, INT64_MAX);
  if (!version) co_return Fail(version.error());
  const auto secret = co_await context.secrets.read(actor_of(request), request.parameters.front(), *version);
  if (!secret) co_return Fail(secret.error());
  Response response;
  response.body = with_value(*secret);
  response.cache_control = "no-store";
  co_return response;
}

Task<Result<Response>> list_secret_versions(RouteContext& context, Request& request) {
  const auto versions = context.secrets.versions(request.caller.user_uuid, request.parameters.front());
  if (!versions) co_return Fail(versions.error());
  Json list = Json::array();
  for (const SecretVersion& one : *versions) {
    list.push_back({{"version", one.version}, {"created_at", one.created_at}, {"current", one.is_current}});
  }
  co_return success({{"versions", std::move(list)}});
}

Task<Result<Response>> roll_back_secret(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"version"});
  if (!body) co_return Fail(body.error());
  const auto version = optional_number(*body, "version");
  if (!version) co_return Fail(version.error());
  if (!*version || **version == 0) {
    co_return Fail({Code::invalid_request, "The field \"version\" must be the number of a version.", {}, {}});
  }
  const auto put = co_await context.secrets.roll_back(actor_of(request), request.parameters.front(), **version);
  if (!put) co_return Fail(put.error());
  co_return changed(*put);
}

Task<Result<Response>> set_secret(RouteContext& context, Request& request) {
  auto body = read_object(request, {"value", "value_base64", "if_version"});
  if (!body) co_return Fail(body.error());
  co_return co_await set(context, request, request.parameters.front(), std::move(*body));
}

Task<Result<Response>> set_named_secret(RouteContext& context, Request& request) {
  auto body = read_object(request, {"name", "value", "value_base64", "if_version"});
  if (!body) co_return Fail(body.error());
  auto name = text_field(*body, "name");
  if (!name) co_return Fail({Code::invalid_request, "The field \"name\" is missing.", {}, {}});
  co_return co_await set(context, request, std::move(*name), std::move(*body));
}

Task<Result<Response>> delete_secret(RouteContext& context, Request& request) {
  std::string name = request.parameters.front();
  const auto deleted_at = co_await context.secrets.remove(actor_of(request), name);
  if (!deleted_at) co_return Fail(deleted_at.error());
  co_return success({{"name", std::move(name)}, {"deleted", true}, {"deleted_at", *deleted_at}});
}

}  // namespace leger
