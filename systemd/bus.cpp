#include "systemd/bus.h"

#include <poll.h>
#include <uv.h>

#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/json.h"
#include "backend/base/text.h"

namespace leger {
namespace {

constexpr int kMessagesATurn = 64;  // then the loop's others have their turn
constexpr std::size_t kLongestText = 1000;

Error failed(std::string message) {
  return {Code::upstream_failed, std::move(message), "Try again; see what systemctl --user status says.", {}};
}

Error unreachable(int problem) {
  return {Code::unavailable,
          std::string("The user's D-Bus cannot be reached: ") + std::strerror(-problem) + ".",
          "legerd needs the account's service manager: log in as this account, or have root run loginctl enable-linger "
          "for it, then try again.",
          {}};
}

Error error_of(sd_bus_message* message) {
  const sd_bus_error* error = sd_bus_message_get_error(message);
  const std::string_view text = error->message == nullptr ? error->name : error->message;
  Error result = failed("The user's D-Bus answered: " + escape_controls(text.substr(0, kLongestText)));
  result.details = dump(Json{{"dbus", error->name}});
  return result;
}

// The libuv handles of one connection: together on the heap until the last of them has closed.
struct Handles {
  uv_poll_t poll{};
  uv_timer_t timer{};
  uv_prepare_t prepare{};
  int open = 0;
  int polled = 0;  // the poll events that are waited for

  uv_handle_t* as_handle(auto& of) { return reinterpret_cast<uv_handle_t*>(&of); }

  void close() {
    for (uv_handle_t* handle : {as_handle(timer), as_handle(prepare), as_handle(poll)}) {
      handle->data = this;
      ++open;
      uv_close(handle, on_closed);
    }
  }

 private:
  static void on_closed(uv_handle_t* handle) {
    auto* handles = static_cast<Handles*>(handle->data);
    if (--handles->open == 0) delete handles;
  }
};

}  // namespace

class Bus::Connection {
 public:
  // One call under way; lives in the frame of call().
  struct Pending {
    Pending(Connection& owner, std::uint64_t timeout_ms)
        : connection(&owner), done(owner.loop_), deadline(owner.loop_.timers(), [this, timeout_ms] {
            done.set(Fail(failed("The user's D-Bus gave no answer within " + std::to_string(timeout_ms) + " ms.")));
            if (connection != nullptr) connection->drop_unless_ready();
          }) {
      deadline.set_in(timeout_ms);
      owner.pending_.insert(this);
    }
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    ~Pending() {
      sd_bus_slot_unref(slot);
      if (connection != nullptr) connection->pending_.erase(this);
    }

    Connection* connection;  // nothing once it was lost
    OneShot<Result<Message>> done;
    Timer deadline;
    sd_bus_slot* slot = nullptr;
  };

  Connection(Loop& loop, std::string address) : loop_(loop), address_(std::move(address)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    on_lost_.clear();
    drop("it was closed");
  }

  Result<sd_bus*> get() {
    if (bus_ != nullptr) return bus_;
    sd_bus* opened = nullptr;
    int outcome = address_.empty() ? sd_bus_open_user(&opened) : open_address(opened);
    if (outcome >= 0) outcome = attach(opened);
    if (outcome < 0) {
      sd_bus_close_unref(opened);
      return Fail(unreachable(outcome));
    }
    bus_ = opened;
    ++made_;
    return bus_;
  }

  std::uint64_t made() const { return made_; }

  void send(Pending& pending, sd_bus_message* message) {
    int outcome = -ENOTCONN;  // a message made on a connection that is gone
    if (bus_ != nullptr && sd_bus_message_get_bus(message) == bus_) {
      // The deadline is the loop's, as sd-bus counts from the end of its handshake, which may never come.
      outcome = sd_bus_call_async(bus_, &pending.slot, message, on_reply, &pending, UINT64_MAX);
    }
    if (outcome < 0) {
      pending.done.set(Fail(failed(std::string("The user's D-Bus took no call: ") + std::strerror(-outcome) + ".")));
    }
  }

  void subscribe(std::string rule, std::function<void(sd_bus_message*)> on_signal) {
    rules_.push_back(std::make_unique<Rule>(std::move(rule), std::move(on_signal)));
    if (bus_ != nullptr) add_match(bus_, *rules_.back());
  }

  void when_lost(std::function<void()> on_lost) { on_lost_.push_back(std::move(on_lost)); }

 private:
  struct Rule {
    std::string text;
    std::function<void(sd_bus_message*)> on_signal;
  };

  int open_address(sd_bus*& opened) const {
    int outcome = sd_bus_new(&opened);
    if (outcome >= 0) outcome = sd_bus_set_address(opened, address_.c_str());
    if (outcome >= 0) outcome = sd_bus_set_bus_client(opened, 1);
    if (outcome >= 0) outcome = sd_bus_start(opened);
    return outcome;
  }

  // Without a callback for its installation, a rule that is refused ends the connection: nobody waits for signals that
  // do not come.
  static int add_match(sd_bus* bus, Rule& rule) {
    return sd_bus_add_match_async(bus, nullptr, rule.text.c_str(), on_match, nullptr, &rule);
  }

  int attach(sd_bus* opened) {
    for (const auto& rule : rules_) {
      if (const int outcome = add_match(opened, *rule); outcome < 0) return outcome;
    }
    const int fd = sd_bus_get_fd(opened);
    if (fd < 0) return fd;
    auto handles = std::make_unique<Handles>();
    if (const int outcome = uv_poll_init(loop_.uv(), &handles->poll, fd); outcome != 0) return outcome;
    uv_timer_init(loop_.uv(), &handles->timer);
    uv_prepare_init(loop_.uv(), &handles->prepare);
    handles_ = handles.release();
    handles_->poll.data = handles_;
    handles_->prepare.data = this;
    uv_prepare_start(&handles_->prepare,
                     [](uv_prepare_t* handle) { static_cast<Connection*>(handle->data)->process(); });
    // An idle bus does not keep a loop running.
    uv_unref(handles_->as_handle(handles_->poll));
    uv_unref(handles_->as_handle(handles_->timer));
    uv_unref(handles_->as_handle(handles_->prepare));
    return 0;
  }

  // Right before the loop polls, so that nothing that was queued in this turn is forgotten.
  void process() {
    int outcome = 1;
    for (int i = 0; i < kMessagesATurn && outcome > 0; ++i) outcome = sd_bus_process(bus_, nullptr);
    const int events = outcome < 0 ? outcome : sd_bus_get_events(bus_);
    std::uint64_t due_us = UINT64_MAX;
    const int timed = events < 0 ? events : sd_bus_get_timeout(bus_, &due_us);
    if (timed < 0) return drop(std::strerror(-timed));
    wait_for(events, due_us);
  }

  // `due_us` is a time of CLOCK_MONOTONIC, as is the loop's own.
  void wait_for(int events, std::uint64_t due_us) {
    const int wanted = ((events & POLLIN) != 0 ? UV_READABLE : 0) | ((events & POLLOUT) != 0 ? UV_WRITABLE : 0);
    if (wanted != handles_->polled) {
      // What is ready is handled by process() in the next turn; after an error libuv has stopped the handle.
      uv_poll_start(&handles_->poll, wanted, [](uv_poll_t* poll, int status, int) {
        if (status < 0) static_cast<Handles*>(poll->data)->polled = 0;
      });
      handles_->polled = wanted;
    }
    if (due_us == UINT64_MAX) {
      uv_timer_stop(&handles_->timer);
      return;
    }
    const std::uint64_t due_ms = due_us / 1000 + (due_us % 1000 != 0 ? 1 : 0);
    const std::uint64_t now_ms = uv_now(loop_.uv());
    uv_timer_start(&handles_->timer, [](uv_timer_t*) {}, due_ms > now_ms ? due_ms - now_ms : 0, 0);
  }

  // Never from within sd_bus_process.
  void drop(const std::string& why) {
    if (bus_ == nullptr) return;
    std::exchange(handles_, nullptr)->close();
    for (Pending* pending : std::exchange(pending_, {})) {
      pending->connection = nullptr;
      pending->done.set(Fail(failed("The connection to the user's D-Bus was lost: " + why + ".")));
    }
    sd_bus_close_unref(std::exchange(bus_, nullptr));
    for (const auto& on_lost : on_lost_) on_lost();
  }

  // A peer that does not even end the handshake is given up; the next call tries a new connection.
  void drop_unless_ready() {
    if (bus_ != nullptr && sd_bus_is_ready(bus_) <= 0) drop("it was never set up");
  }

  static int on_reply(sd_bus_message* message, void* user, sd_bus_error*) {
    const auto* pending = static_cast<Pending*>(user);
    if (sd_bus_message_is_method_error(message, nullptr) > 0) {
      pending->done.set(Fail(error_of(message)));
    } else {
      pending->done.set(Message(sd_bus_message_ref(message), sd_bus_message_unref));
    }
    return 1;
  }

  static int on_match(sd_bus_message* message, void* user, sd_bus_error*) {
    static_cast<Rule*>(user)->on_signal(message);
    return 0;
  }

  Loop& loop_;
  const std::string address_;
  sd_bus* bus_ = nullptr;
  Handles* handles_ = nullptr;
  std::uint64_t made_ = 0;
  std::set<Pending*> pending_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<std::function<void()>> on_lost_;
};

Bus::Bus(Loop& loop, std::string address) : connection_(std::make_unique<Connection>(loop, std::move(address))) {}
Bus::~Bus() = default;

Result<sd_bus*> Bus::connection() { return connection_->get(); }

std::uint64_t Bus::connections_made() const { return connection_->made(); }

Task<Result<Bus::Message>> Bus::call(Message message, std::uint64_t timeout_ms) {
  Connection::Pending pending(*connection_, timeout_ms);
  connection_->send(pending, message.get());
  Result<Message> answer = co_await pending.done;
  co_return answer;
}

void Bus::subscribe(std::string rule, std::function<void(sd_bus_message*)> on_signal) {
  connection_->subscribe(std::move(rule), std::move(on_signal));
}

void Bus::when_lost(std::function<void()> on_lost) { connection_->when_lost(std::move(on_lost)); }

}  // namespace leger
