#include "cli/follow.h"

#include <array>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/text.h"
#include "cli/event_parser.h"

namespace leger {
namespace {

constexpr std::array<std::string_view, 4> kEnds{"deployed", "removed", "failed", "rolled_back"};

bool has_ended(const std::string& state) {
  for (const std::string_view end : kEnds) {
    if (state == end) return true;
  }
  return false;
}

// legerd may be restarted under us: the deployment is finished at its next start.
bool may_come_back(const Error& error) { return error.code == Code::unavailable; }

Error still_going(const std::string& id, Error error) {
  error.message += " The deployment " + in_quotes(id) + " may still be under way.";
  error.action = "See how it ended:\n  leger deploy list";
  return error;
}

std::string title(const Json& deployment) {
  const std::string name = shown(deployment, "name");
  return integer_field(deployment, "version") ? name + " v" + shown(deployment, "version") : name;
}

std::string outcome(const Json& deployment) {
  if (text_field(deployment, "kind") == "remove") return shown(deployment, "name") + " was not removed";
  const bool rolled_back = text_field(deployment, "state") == "rolled_back";
  if (text_field(deployment, "kind") == "sync") {
    return std::string("The secrets of running apps were not brought up to date") +
           (rolled_back ? "; they run with the values before" : "");
  }
  return title(deployment) + " was not deployed" + (rolled_back ? "; what ran before runs again" : "");
}

// What one sees of a deployment on its way: a line for each new state and step, or on a terminal one line that is
// written anew.
class Progress {
 public:
  explicit Progress(Output& output) : output_(output) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (output_.is_live()) output_.progress("");
  }

  void state(const std::string& state) {
    if (has_ended(state) || state == state_) return;
    state_ = state;
    show(state + "…");
  }

  void step(const Json& data) {
    const std::string unit = shown(data, "unit");
    const std::string text = (unit == "-" ? "" : unit + ": ") + shown(data, "text");
    show(output_.is_live() ? state_ + "… " + text : "  " + text);
  }

 private:
  void show(const std::string& text) {
    if (output_.is_live()) {
      output_.progress(text);
    } else {
      output_.line(text);
    }
  }

  Output& output_;
  std::string state_;
};

// The deployment's events as they come, from where an earlier call stopped.
class Events {
 public:
  Events(const Context& context, const std::string& id, Progress& progress)
      : context_(context), path_("/api/deployments/" + percent_encode(id) + "/events"), progress_(progress) {}

  // Until the deployment has ended, the stream breaks, or `give_up_at` of the clock. Where legerd answers, but with no
  // events, it is not asked again: the deployment itself tells how far it is.
  void read(const Clock& clock, std::uint64_t give_up_at) {
    if (is_refused_) return;
    EventParser parser;
    const auto streamed =
        context_.api.stream({.path = path_, .last_event_id = last_id_, .on_bytes = [&](std::string_view bytes) {
                               for (const ServerEvent& event : parser.feed(bytes)) {
                                 take(event);
                                 if (event.kind == "end") return false;
                               }
                               return !parser.is_broken() && clock.monotonic_ms() < give_up_at;
                             }});
    is_refused_ = !streamed && !may_come_back(streamed.error());
  }

 private:
  void take(const ServerEvent& event) {
    last_id_ = event.id;
    const Json data = Json::parse(event.data, nullptr, false);
    if (!data.is_object()) return;
    if (event.kind == "state") progress_.state(shown(data, "state"));
    if (event.kind == "progress") progress_.step(data);
  }

  const Context& context_;
  std::string path_;
  Progress& progress_;
  std::string last_id_;
  bool is_refused_ = false;
};

}  // namespace

Result<Json> follow_deployment(const Context& context, const std::string& id) {
  const SystemClock clock;
  const Patience& patience = context.io.patience;
  const std::uint64_t give_up_at = clock.monotonic_ms() + patience.follow_ms;
  std::uint64_t seen_at = clock.monotonic_ms();
  Progress progress(context.output);
  Events events(context, id, progress);
  for (;;) {
    events.read(clock, give_up_at);
    auto deployment = context.api.get("/api/deployments/" + percent_encode(id));
    const std::uint64_t now = clock.monotonic_ms();
    if (deployment) {
      const std::string state = shown(*deployment, "state");
      if (has_ended(state)) return deployment;
      progress.state(state);
      seen_at = now;
    } else if (!may_come_back(deployment.error()) || now - seen_at >= patience.outage_ms) {
      return Fail(still_going(id, deployment.error()));
    }
    if (now >= give_up_at) {
      const std::string minutes = std::to_string(patience.follow_ms / 60'000);
      return Fail(still_going(id, {Code::request_timeout, "It has not ended after " + minutes + " minutes.", {}, {}}));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(patience.poll_ms));
  }
}

Result<void> judge_deployment(const Json& deployment) {
  const auto state = text_field(deployment, "state");
  if (state == "deployed" || state == "removed") return {};
  Error error{Code::upstream_failed, outcome(deployment), {}, {}};
  auto report = deployment.find("error");
  if (report != deployment.end() && report->is_string()) error.details = dump(Json::array({*report}));
  if (report != deployment.end() && report->is_object()) {
    Json rest = *report;
    if (const auto message = text_field(rest, "message")) error.message += ": " + escape_controls(*message);
    if (const auto code = code_named(text_field(rest, "code").value_or(""))) error.code = *code;
    error.action = escape_controls(text_field(rest, "action").value_or(""));
    for (const char* said : {"message", "code", "action"}) rest.erase(said);
    if (!rest.empty()) error.details = dump(rest);
  }
  return Fail(std::move(error));
}

}  // namespace leger
