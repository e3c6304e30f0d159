#include <utility>

#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::uint32_t kPage = 100;
constexpr std::uint32_t kMaxPage = 1000;

Json describe(const AuditEntry& entry) {
  const AuditRecord& record = entry.record;
  Json json{{"id", entry.id},
            {"time", record.time},
            {"actor", record.actor.empty() ? Json() : Json(record.actor)},
            {"source", record.source},
            {"action", record.action},
            {"object", record.object},
            {"version", record.version ? Json(*record.version) : Json()},
            {"outcome", record.outcome},
            {"request_id", record.request_id.empty() ? Json() : Json(record.request_id)},
            {"count", record.count}};
  if (!entry.actor_name.empty()) json["actor_name"] = entry.actor_name;
  return json;
}

}  // namespace

Task<Result<Response>> list_audit(RouteContext& context, Request& request) {
  const auto limit = query_number(request, "limit", 1, kMaxPage);
  if (!limit) co_return Fail(limit.error());
  const auto before = query_number(request, "before", 1, INT64_MAX);
  if (!before) co_return Fail(before.error());
  const auto page = co_await context.audit.list({.actor = request.caller.is_operator ? "" : request.caller.user_uuid,
                                                 .object = request.query("object").value_or(""),
                                                 .action = request.query("action").value_or(""),
                                                 .before = before->value_or(0),
                                                 .limit = static_cast<std::uint32_t>(limit->value_or(kPage))});
  if (!page) co_return Fail(page.error());
  Json entries = Json::array();
  for (const AuditEntry& entry : page->entries) entries.push_back(describe(entry));
  co_return success({{"entries", std::move(entries)}, {"next", page->next ? Json(*page->next) : Json()}});
}

Task<Result<Response>> verify_audit(RouteContext& context, Request&) {
  const auto verdict = co_await context.audit.verify();
  if (!verdict) co_return Fail(verdict.error());
  co_return success({{"valid", !verdict->first_bad},
                     {"entries", verdict->entries},
                     {"first_bad", verdict->first_bad ? Json(*verdict->first_bad) : Json()}});
}

}  // namespace leger
