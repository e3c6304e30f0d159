#include "backend/service/deploy_events.h"

#include <iterator>
#include <utility>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

constexpr std::size_t kMostText = 1000;

}  // namespace

DeployEvents::DeployEvents() : process_(random_uuid().substr(0, 8)) {}

void DeployEvents::state(const std::string& deployment, const std::string& state, const std::string& message) {
  current_ = deployment;
  Log& log = log_of(deployment);
  log.state = state;
  Json data{{"state", state}};
  if (!message.empty()) data["message"] = message.substr(0, kMostText);
  publish(log, "state", data);
}

void DeployEvents::progress(const std::string& step, const std::string& unit, const std::string& text) {
  if (current_.empty()) return;
  Json data{{"step", step}};
  if (!unit.empty()) data["unit"] = unit;
  data["text"] = text.substr(0, kMostText);
  publish(log_of(current_), "progress", data);
}

void DeployEvents::end(const std::string& deployment) {
  Log& log = log_of(deployment);
  if (current_ == deployment) current_.clear();
  publish(log, "end", Json{{"state", log.state}});
}

void DeployEvents::adopt(const std::string& deployment, const std::string& state) {
  Log& log = log_of(deployment);
  log.state = state;
  publish(log, "state", Json{{"state", state}});
}

std::vector<DeployEvent> DeployEvents::after(const std::string& deployment, std::uint64_t after,
                                             std::size_t most_bytes) const {
  std::vector<DeployEvent> events;
  const auto log = logs_.find(deployment);
  if (log == logs_.end()) return events;
  std::size_t bytes = 0;
  for (const DeployEvent& event : log->second.events) {
    if (event.number <= after) continue;
    if (bytes > 0 && bytes + event.data.size() > most_bytes) break;
    bytes += event.data.size();
    events.push_back(event);
  }
  return events;
}

bool DeployEvents::has_ended(const std::string& deployment) const {
  const auto log = logs_.find(deployment);
  return log == logs_.end() || log->second.ended;
}

std::uint64_t DeployEvents::number_of(std::string_view id) const {
  const std::string prefix = process_ + "-";
  return id.starts_with(prefix) ? parse_number(id.substr(prefix.size())).value_or(0) : 0;
}

std::shared_ptr<void> DeployEvents::watch(std::function<void()> wake) {
  watchers_->push_back(std::move(wake));
  const auto place = std::prev(watchers_->end());
  // The list outlives this for as long as anybody watches.
  return {nullptr, [watchers = watchers_, place](std::nullptr_t) { watchers->erase(place); }};
}

DeployEvents::Log& DeployEvents::log_of(const std::string& deployment) {
  const auto [found, is_new] = logs_.try_emplace(deployment);
  if (is_new) {
    oldest_first_.push_back(deployment);
    if (oldest_first_.size() > kMostDeployments) {
      logs_.erase(oldest_first_.front());
      oldest_first_.pop_front();
    }
  }
  return found->second;
}

void DeployEvents::publish(Log& log, std::string kind, const Json& data) {
  log.ended = kind == "end";
  log.events.push_back({.number = ++log.last, .kind = std::move(kind), .data = dump(data)});
  log.bytes += log.events.back().data.size();
  while (log.events.size() > kMostEvents || log.bytes > kMostBytes) {
    log.bytes -= log.events.front().data.size();
    log.events.pop_front();
  }
  for (const auto& wake : *watchers_) wake();
}

}  // namespace leger
