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

  // Keeps values up to the first problem; what follows is read without being stored, so that a text that is refused
  // costs little.
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (!problem_.empty()) return false;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<std::size_t>(depth) >= limits_.depth) problem_ = "nested too deeply";
      levels_.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      levels_.pop_back();
    } else if (event == Event::key) {
      on_key(value.get_ref<const std::string&>());
    } else if (value.is_string() && !exempt() && value.get_ref<const std::string&>().size() > limits_.string_bytes) {
      problem_ = "a string is longer than " + std::to_string(limits_.string_bytes) + " bytes";
    }
    return problem_.empty();
  }

  const std::string& problem() const { return problem_; }

 private:
  struct Level {
    std::set<std::string> keys;
    std::string last_key;  // empty in arrays
  };

  void on_key(const std::string& key) {
    Level& level = levels_.back();
    if (key.size() > limits_.string_bytes) problem_ = "a field name is too long";
    if (!level.keys.insert(key).second) problem_ = "the field \"" + key.substr(0, 64) + "\" is there twice";
    if (level.keys.size() > limits_.fields) problem_ = "an object has too many fields";
    level.last_key = key;
  }
  bool exempt() const {
    return !levels_.empty() && (levels_.back().last_key == "value" || levels_.back().last_key == "value_base64");
  }

  JsonLimits limits_;
  std::vector<Level> levels_;
  std::string problem_;
};

// What callers need to tell apart: text that is not JSON, and JSON beyond the limits.
struct Parsed {
  Json value;
  std::string problem;
};

Parsed parse(std::string_view text, JsonLimits limits) {
  // nlohmann takes a zero byte for the end and does not look at what follows.
  if (text.find('\0') != std::string_view::npos) return {Json(Json::value_t::discarded), {}};
  LimitCheck check(limits);
  Json value = Json::parse(
      text, [&check](int depth, Json::parse_event_t event, const Json& part) { return check(depth, event, part); },
      false);
  return {std::move(value), check.problem()};
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  Parsed parsed = parse(text, limits);
  if (!parsed.problem.empty()) {
    return Fail({Code::invalid_request, "The JSON body is refused: " + parsed.problem + ".", {}, {}});
  }
  if (parsed.value.is_discarded()) {
    return Fail({Code::invalid_request, "The body is not valid JSON in UTF-8.", {}, {}});
  }
  return std::move(parsed.value);
}

Result<Json> parse_reply(std::string_view text, std::string_view who, std::size_t max_bytes) {
  const auto refused = [who](std::string_view why) {
    return Fail({Code::upstream_failed, std::string(who) + " sent an answer that " + std::string(why) + ".", {}, {}});
  };
  if (text.size() > max_bytes) return refused("is too large");
  Parsed parsed = parse(text, {.depth = 64, .string_bytes = max_bytes, .fields = 10'000});
  if (parsed.value.is_discarded() || !parsed.problem.empty()) return refused("cannot be read");
  return std::move(parsed.value);
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

namespace {

const Json* field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kEscaped = "\b\t\n\f\r\"\\";
  constexpr std::string_view kLetters = "btnfr\"\\";
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '"' && c != '\\'; };
  out += '"';
  while (!text.empty()) {
    const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    text.remove_prefix(1);
    if (const std::size_t at = kEscaped.find(c); at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xfU];
    }
  }
  out += '"';
}

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
