#include "backend/base/json.h"

#include <set>
#include <utility>
#include <vector>

namespace leger {
namespace {

// What nlohmann's parser does not check by itself; fed by its callback, in document order.
class LimitCheck {
 public:
  explicit LimitCheck(JsonLimits limits) : limits_(limits) {}

  // Always keeps the value: the text is bounded, so reading on to the end costs little.
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<std::size_t>(depth) >= limits_.depth) problem_ = "nested too deeply";
      keys_.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      on_key(value.get_ref<const std::string&>());
    } else if (value.is_string() && !exempt() && value.get_ref<const std::string&>().size() > limits_.string_bytes) {
      problem_ = "a string is longer than " + std::to_string(limits_.string_bytes) + " bytes";
    }
    return true;
  }

  const std::string& problem() const { return problem_; }

 private:
  void on_key(const std::string& key) {
    if (key.size() > limits_.string_bytes) problem_ = "a field name is too long";
    if (!keys_.back().insert(key).second) problem_ = "the field \"" + key.substr(0, 64) + "\" is there twice";
    last_key_ = key;
  }
  bool exempt() const { return last_key_ == "value" || last_key_ == "value_base64"; }

  JsonLimits limits_;
  std::vector<std::set<std::string>> keys_;
  std::string last_key_;
  std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  LimitCheck check(limits);
  Json value = Json::parse(
      text, [&check](int depth, Json::parse_event_t event, const Json& part) { return check(depth, event, part); },
      false);
  if (value.is_discarded()) return Fail({Code::invalid_request, "The body is not valid JSON in UTF-8.", {}, {}});
  if (!check.problem().empty()) {
    return Fail({Code::invalid_request, "The JSON body is refused: " + check.problem() + ".", {}, {}});
  }
  return value;
}

Result<Json> parse_reply(std::string_view text, std::string_view who, std::size_t max_bytes) {
  const auto refused = [who](std::string_view why) {
    return Fail({Code::upstream_failed, std::string(who) + " sent an answer that " + std::string(why) + ".", {}, {}});
  };
  if (text.size() > max_bytes) return refused("is too large");
  LimitCheck check({.depth = 64, .string_bytes = max_bytes});
  Json value = Json::parse(
      text, [&check](int depth, Json::parse_event_t event, const Json& part) { return check(depth, event, part); },
      false);
  if (value.is_discarded() || !check.problem().empty()) return refused("cannot be read");
  return value;
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

namespace {

const Json* field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::optional<std::string> text_field(const Json& object, const char* name) {
  const Json* value = field(object, name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<std::int64_t> integer_field(const Json& object, const char* name) {
  const Json* value = field(object, name);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return value->get<std::int64_t>();
}

std::optional<bool> bool_field(const Json& object, const char* name) {
  const Json* value = field(object, name);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

}  // namespace leger
