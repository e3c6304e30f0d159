#include <memory>
#include <utility>

#include "backend/base/json.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::size_t kPart = 32 * 1024;

// One event as the HTML standard's server-sent events have it; `data` is JSON on one line.
void append_event(std::string& out, const std::string& id, const std::string& kind, const std::string& data) {
  out += "id: " + id + "\nevent: " + kind + "\ndata: " + data + "\n\n";
}

// What is left to say of a deployment of which this process has no events: how it ended, and that it has.
Response only_the_end(const DeployEvents& events, const Deployment& row) {
  Response response{.content_type = "text/event-stream"};
  const std::string data = dump(Json{{"state", row.state}});
  append_event(response.body, events.id_of(1), "state", data);
  append_event(response.body, events.id_of(2), "end", data);
  return response;
}

// The events of one deployment from where a watcher stopped; shared by the two functions of its answer.
struct Watcher {
  DeployEvents& events;
  std::string deployment;
  std::uint64_t seen;

  std::optional<std::string> take() {
    std::string part;
    for (const DeployEvent& event : events.after(deployment, seen, kPart)) {
      append_event(part, events.id_of(event.number), event.kind, event.data);
      seen = event.number;
    }
    if (part.empty() && events.has_ended(deployment)) return std::nullopt;
    return part;
  }
};

}  // namespace

Task<Result<Response>> watch_deployment(RouteContext& context, Request& request) {
  const auto row = context.deployer.get(request.parameters.front());
  if (!row) co_return Fail(row.error());
  DeployEvents& events = context.deployer.events();
  Response response{.content_type = "text/event-stream"};
  if (!events.knows(row->id) && row->finished_at) {
    response = only_the_end(events, *row);
  } else {
    // Recovery has not come to it yet.
    if (!events.knows(row->id)) events.adopt(row->id, row->state);
    const auto seen = events.number_of(request.head.header("last-event-id").value_or(""));
    const auto watcher = std::make_shared<Watcher>(events, row->id, seen);
    response.live = LiveBody{.take = [watcher] { return watcher->take(); },
                             .watch = [&events](std::function<void()> wake) { return events.watch(std::move(wake)); }};
  }
  response.cache_control = "no-store";
  co_return response;
}

}  // namespace leger
