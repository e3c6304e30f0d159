#pragma once

// What deployments have said of themselves, for those who watch: each deployment's last events with their numbers, so
// that a watcher that was away goes on where it stopped. Bounded in events, bytes and deployments: a watcher that is
// slower than that misses some, and costs nothing. Owned by the Deployer; loop thread. It is no journal: a restart
// forgets it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/json.h"

namespace leger {

struct DeployEvent {
  std::uint64_t number = 0;  // from 1, of one deployment
  std::string kind;          // state, progress, end
  std::string data;          // JSON text
};

class DeployEvents {
 public:
  static constexpr std::size_t kMostEvents = 1000;       // of one deployment
  static constexpr std::size_t kMostBytes = 256 * 1024;  // of their data
  static constexpr std::size_t kMostDeployments = 16;

  DeployEvents();
  DeployEvents(const DeployEvents&) = delete;
  DeployEvents& operator=(const DeployEvents&) = delete;

  // `{"state","message"?}`; what is said next by progress() is of this deployment. One runs at a time on a host.
  void state(const std::string& deployment, const std::string& state, const std::string& message = {});
  // `{"step","unit"?,"text"}` of the deployment that said its state last; `text` is cut at 1000 bytes.
  void progress(const std::string& step, const std::string& unit, const std::string& text);
  // Nothing comes any more, unless the deployment is taken up again. `{"state"}` is the last one that was told.
  void end(const std::string& deployment);

  bool knows(const std::string& deployment) const { return logs_.contains(deployment); }
  // Makes one that this process has said nothing of yet known, in `state`.
  void adopt(const std::string& deployment, const std::string& state);

  // Events after number `after`, oldest first, of at most about `most_bytes`.
  std::vector<DeployEvent> after(const std::string& deployment, std::uint64_t after, std::size_t most_bytes) const;
  bool has_ended(const std::string& deployment) const;

  // An event's id for watchers, and the number of one: 0, so everything, for an id of another process or another form.
  std::string id_of(std::uint64_t number) const { return process_ + "-" + std::to_string(number); }
  std::uint64_t number_of(std::string_view id) const;

  // `wake` is called after each event of any deployment, until what is returned is destroyed; it must not destroy it.
  std::shared_ptr<void> watch(std::function<void()> wake);

 private:
  struct Log {
    std::deque<DeployEvent> events;
    std::size_t bytes = 0;
    std::uint64_t last = 0;
    std::string state;
    bool ended = false;
  };
  using Watchers = std::list<std::function<void()>>;

  Log& log_of(const std::string& deployment);
  void publish(Log& log, std::string kind, const Json& data);

  std::string process_;  // a word of this process
  std::map<std::string, Log> logs_;
  std::deque<std::string> oldest_first_;
  std::string current_;
  std::shared_ptr<Watchers> watchers_ = std::make_shared<Watchers>();
};

}  // namespace leger
