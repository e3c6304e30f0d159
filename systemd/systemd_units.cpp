#include "systemd/systemd_units.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"

namespace leger {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr const char* kServiceUnit = "org.freedesktop.systemd1.Service";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";
constexpr const char* kAlreadySubscribed = "org.freedesktop.systemd1.AlreadySubscribed";
constexpr const char* kJobRemoved =
    "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',"
    "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

constexpr std::uint64_t kAnswerMs = 25'000;
constexpr std::uint64_t kReloadMs = 90'000;  // generators run in it, and systemd gives those as much

// systemd.unit(5): the characters of a name, its length and the types.
constexpr std::size_t kLongestName = 255;
constexpr std::string_view kNameCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";
constexpr std::array<std::string_view, 11> kTypes{".service", ".socket", ".target", ".device", ".mount", ".automount",
                                                  ".swap",    ".timer",  ".path",   ".slice",  ".scope"};

bool is_unit_name(std::string_view name) {
  const auto names = [name](std::string_view type) { return name.size() > type.size() && name.ends_with(type); };
  return name.size() <= kLongestName && name.find_first_not_of(kNameCharacters) == std::string_view::npos &&
         std::ranges::any_of(kTypes, names);
}

std::string dbus_name(const Error& error) {
  const auto details = parse_json(error.details);
  return details ? text_field(*details, "dbus").value_or("") : "";
}

Error unknown_unit(std::string_view unit) {
  return {Code::service_not_found,
          "systemd knows no unit " + escape_controls(unit.substr(0, kLongestName)) + ".",
          "See which there are with systemctl --user list-units --all.",
          {}};
}

// What went wrong, said of the unit that was asked for.
Error about(const std::string& unit, Error error) {
  if (dbus_name(error) == kNoSuchUnit) return unknown_unit(unit);
  error.message = "Unit " + unit + ": " + error.message;
  if (error.code == Code::upstream_failed) error.action = "See what systemctl --user status " + unit + " says.";
  return error;
}

Error garbled(std::string_view member) {
  return {Code::upstream_failed,
          "systemd's answer to " + std::string(member) + " cannot be read.",
          "Check that the account's systemd is a supported one (Debian 12 or 13).",
          {}};
}

constexpr std::array kTexts{
    std::pair{std::string_view("Id"), &UnitState::name},
    std::pair{std::string_view("LoadState"), &UnitState::load_state},
    std::pair{std::string_view("ActiveState"), &UnitState::active_state},
    std::pair{std::string_view("SubState"), &UnitState::sub_state},
    std::pair{std::string_view("SourcePath"), &UnitState::source_path},
    std::pair{std::string_view("Type"), &UnitState::type},
    std::pair{std::string_view("Result"), &UnitState::result},
};

// Reads one property's variant into its place; skips what UnitState does not have. Negative: an errno value.
int take_property(sd_bus_message* message, std::string_view name, UnitState& state) {
  for (const auto& [property, place] : kTexts) {
    if (property != name) continue;
    const char* text = "";
    const int outcome = sd_bus_message_read(message, "v", "s", &text);
    if (outcome >= 0) state.*place = text;
    return outcome;
  }
  if (name == "NRestarts") return sd_bus_message_read(message, "v", "u", &state.restarts);
  if (name == "ActiveEnterTimestamp") {
    std::uint64_t microseconds = 0;
    const int outcome = sd_bus_message_read(message, "v", "t", &microseconds);
    if (microseconds != 0) state.active_since = static_cast<std::int64_t>(microseconds / 1'000'000);
    return outcome;
  }
  return sd_bus_message_skip(message, "v");
}

// The answer of GetAll, a{sv}.
int take_properties(sd_bus_message* message, UnitState& state) {
  int outcome = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (outcome >= 0) {
    outcome = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
    if (outcome <= 0) break;
    const char* name = "";
    outcome = sd_bus_message_read(message, "s", &name);
    if (outcome >= 0) outcome = take_property(message, name, state);
    if (outcome >= 0) outcome = sd_bus_message_exit_container(message);
  }
  return outcome;
}

// The answer of ListUnitFiles, a(ss) of path and state.
int take_unit_files(sd_bus_message* message, std::vector<std::string>& names) {
  int outcome = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "(ss)");
  while (outcome >= 0) {
    const char* path = "";
    const char* state = "";
    outcome = sd_bus_message_read(message, "(ss)", &path, &state);
    if (outcome <= 0) break;
    const std::string_view whole = path;
    names.emplace_back(whole.substr(whole.rfind('/') + 1));  // the whole where there is no slash: npos + 1 is 0
  }
  return outcome;
}

// ListUnitsByPatterns' arguments, as as: no states, one pattern.
Result<Bus::Message> fill_pattern(Bus::Message message, const std::string& pattern) {
  int outcome = sd_bus_message_append(message.get(), "as", 0);
  if (outcome >= 0) outcome = sd_bus_message_append(message.get(), "as", 1, pattern.c_str());
  if (outcome < 0) return Fail(system_error("Cannot write a D-Bus message", -outcome));
  return message;
}

// The answer of ListUnitsByPatterns, a(ssssssouso), of which the first is the name.
int take_units(sd_bus_message* message, std::vector<std::string>& names) {
  int outcome = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "(ssssssouso)");
  while (outcome >= 0) {
    outcome = sd_bus_message_enter_container(message, SD_BUS_TYPE_STRUCT, "ssssssouso");
    if (outcome <= 0) break;
    const char* name = "";
    outcome = sd_bus_message_read(message, "s", &name);
    if (outcome >= 0) outcome = sd_bus_message_skip(message, "sssssouso");
    if (outcome >= 0) outcome = sd_bus_message_exit_container(message);
    if (outcome >= 0) names.emplace_back(name);
  }
  return outcome;
}

// What matches the instances of job@.service: job@?*.service. A backslash in it is one to systemd (FNM_NOESCAPE).
std::string instance_pattern(std::string template_file) {
  const std::size_t at = template_file.find('@');
  return at == std::string::npos ? template_file : template_file.insert(at + 1, "?*");
}

Result<Bus::Message> fill(Bus::Message message, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const int outcome = sd_bus_message_append_basic(message.get(), SD_BUS_TYPE_STRING, argument.c_str());
    if (outcome < 0) return Fail(system_error("Cannot write a D-Bus message", -outcome));
  }
  return message;
}

}  // namespace

SystemdUnits::SystemdUnits(Loop& loop, Bus& bus) : loop_(loop), bus_(bus), jobs_(std::make_shared<JobResults>()) {
  bus_.subscribe(kJobRemoved, [jobs = jobs_](sd_bus_message* message) {
    std::uint32_t id = 0;
    const char* path = "";
    const char* unit = "";
    const char* result = "";
    if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) > 0) jobs->ended(path, result);
  });
  bus_.when_lost([jobs = jobs_] { jobs->lost(); });
}

Result<Bus::Message> SystemdUnits::new_call(const Question& question) {
  const auto bus = bus_.connection();
  if (!bus) return Fail(bus.error());
  sd_bus_message* made = nullptr;
  const int outcome = sd_bus_message_new_method_call(*bus, &made, kService, question.path.c_str(),
                                                     question.interface.c_str(), question.member.c_str());
  if (outcome < 0) return Fail(system_error("Cannot make a D-Bus message", -outcome));
  return Bus::Message(made, sd_bus_message_unref);
}

Task<Result<Bus::Message>> SystemdUnits::ask(Question question, std::uint64_t timeout_ms) {
  auto message = new_call(question);
  if (message) message = fill(*std::move(message), question.arguments);
  if (!message) co_return Fail(message.error());
  Result<Bus::Message> answer = co_await bus_.call(std::move(*message), timeout_ms);
  co_return answer;
}

// systemd sends signals only while somebody has subscribed.
Task<Result<void>> SystemdUnits::subscribe(std::uint64_t timeout_ms) {
  const auto bus = bus_.connection();
  if (!bus) co_return Fail(bus.error());
  const std::uint64_t connection = bus_.connections_made();
  if (subscribed_on_ == connection) co_return Result<void>{};
  const auto answer = co_await ask({kManagerPath, kManager, "Subscribe", {}}, timeout_ms);
  // Two first jobs at once subscribe twice.
  if (!answer && dbus_name(answer.error()) != kAlreadySubscribed) co_return Fail(answer.error());
  subscribed_on_ = connection;
  co_return Result<void>{};
}

Task<Result<std::string>> SystemdUnits::run_job(std::string method, std::string unit, std::uint64_t timeout_ms) {
  if (!is_unit_name(unit)) co_return Fail(unknown_unit(unit));
  JobWatch watch(loop_, *jobs_);
  const auto end = watch.end();
  Timer deadline(loop_.timers(), [end, timeout_ms] {
    end.set(
        Fail({Code::upstream_failed, "the job has not ended within " + std::to_string(timeout_ms) + " ms.", {}, {}}));
  });
  deadline.set_in(timeout_ms);
  const std::uint64_t began = loop_.clock().monotonic_ms();
  const auto subscribed = co_await subscribe(timeout_ms);
  if (!subscribed) co_return Fail(about(unit, subscribed.error()));
  const std::uint64_t left = timeout_ms - std::min(timeout_ms, loop_.clock().monotonic_ms() - began);
  const auto answer = co_await ask({kManagerPath, kManager, method, {unit, "replace"}}, left);
  if (!answer) co_return Fail(about(unit, answer.error()));
  const char* path = "";
  if (sd_bus_message_read(answer->get(), "o", &path) <= 0) co_return Fail(garbled(method));
  watch.follow(path);
  Result<std::string> result = co_await end;
  if (!result) co_return Fail(about(unit, result.error()));
  co_return result;
}

Task<Result<std::string>> SystemdUnits::start(std::string unit, std::uint64_t timeout_ms) {
  return run_job("StartUnit", std::move(unit), timeout_ms);
}

Task<Result<std::string>> SystemdUnits::stop(std::string unit, std::uint64_t timeout_ms) {
  return run_job("StopUnit", std::move(unit), timeout_ms);
}

Task<Result<std::string>> SystemdUnits::restart(std::string unit, std::uint64_t timeout_ms) {
  return run_job("RestartUnit", std::move(unit), timeout_ms);
}

Task<Result<void>> SystemdUnits::wait_for_reload_turn() {
  if (!std::exchange(reloading_, true)) co_return Result<void>{};
  const OneShot<bool> turn(loop_);
  Timer deadline(loop_.timers(), [turn] { turn.set(false); });
  deadline.set_in(kReloadMs);
  waiting_reloads_.push_back(turn);
  const bool is_ours = co_await turn;
  if (is_ours) co_return Result<void>{};
  co_return Fail({Code::upstream_failed,
                  "Another reload of systemd does not end.",
                  "See what systemctl --user list-jobs says.",
                  {}});
}

// Whoever gave up waiting does not take the turn.
void SystemdUnits::end_reload_turn() {
  while (!waiting_reloads_.empty()) {
    const OneShot<bool> next = waiting_reloads_.front();
    waiting_reloads_.pop_front();
    if (next.set(true)) return;
  }
  reloading_ = false;
}

Task<Result<void>> SystemdUnits::reload() {
  const auto turn = co_await wait_for_reload_turn();
  if (!turn) co_return Fail(turn.error());
  const auto answer = co_await ask({kManagerPath, kManager, "Reload", {}}, kReloadMs);
  end_reload_turn();
  if (!answer) co_return Fail(answer.error());
  co_return Result<void>{};
}

Task<Result<void>> SystemdUnits::reset_failed(std::string unit) {
  if (!is_unit_name(unit)) co_return Fail(unknown_unit(unit));
  const auto answer = co_await ask({kManagerPath, kManager, "ResetFailedUnit", {unit}}, kAnswerMs);
  // A unit that is not loaded has no failed state.
  if (!answer && dbus_name(answer.error()) != kNoSuchUnit) co_return Fail(about(unit, answer.error()));
  co_return Result<void>{};
}

Task<Result<void>> SystemdUnits::read_properties(std::string path, std::string interface, UnitState& state) {
  const auto answer = co_await ask({std::move(path), kProperties, "GetAll", {std::move(interface)}}, kAnswerMs);
  if (!answer) co_return Fail(answer.error());
  if (take_properties(answer->get(), state) < 0) co_return Fail(garbled("GetAll"));
  co_return Result<void>{};
}

Task<Result<UnitState>> SystemdUnits::state(std::string unit) {
  if (!is_unit_name(unit)) co_return Fail(unknown_unit(unit));
  const auto answer = co_await ask({kManagerPath, kManager, "LoadUnit", {unit}}, kAnswerMs);
  if (!answer) co_return Fail(about(unit, answer.error()));
  const char* found = "";
  if (sd_bus_message_read(answer->get(), "o", &found) <= 0) co_return Fail(garbled("LoadUnit"));
  const std::string path = found;
  UnitState state;
  auto read = co_await read_properties(path, kUnit, state);
  if (read && unit.ends_with(".service")) read = co_await read_properties(path, kServiceUnit, state);
  if (!read) co_return Fail(about(unit, read.error()));
  if (state.active_state != "active") state.active_since.reset();
  co_return state;
}

Task<Result<std::vector<std::string>>> SystemdUnits::instances(std::string template_file) {
  if (!is_unit_name(template_file)) co_return Fail(unknown_unit(template_file));
  auto message = new_call({kManagerPath, kManager, "ListUnitsByPatterns", {}});
  if (message) message = fill_pattern(*std::move(message), instance_pattern(template_file));
  if (!message) co_return Fail(message.error());
  const auto answer = co_await bus_.call(std::move(*message), kAnswerMs);
  if (!answer) co_return Fail(answer.error());
  std::vector<std::string> names;
  if (take_units(answer->get(), names) < 0) co_return Fail(garbled("ListUnitsByPatterns"));
  co_return names;
}

Task<Result<std::vector<std::string>>> SystemdUnits::unit_files() {
  const auto answer = co_await ask({kManagerPath, kManager, "ListUnitFiles", {}}, kAnswerMs);
  if (!answer) co_return Fail(answer.error());
  std::vector<std::string> names;
  if (take_unit_files(answer->get(), names) < 0) co_return Fail(garbled("ListUnitFiles"));
  co_return names;
}

}  // namespace leger
