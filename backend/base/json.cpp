#include "backend/base/json.h"

#include <set>
#include <utility>
#include <vector>

namespace leger {
namespace {

// Builds the value and checks on the way what nlohmann's parser does not; the first problem ends the reading. Its
// parser with a callback would do the same, but goes through all that a list has so far at the end of each element: a
// list of 100 000 of them takes it most of a minute.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool binary(binary_t&) override { return false; }  // there is none in JSON text
  bool string(string_t& value) override {
    if (value.size() > limits_.string_bytes && !exempt()) {
      return refuse("a string is longer than " + std::to_string(limits_.string_bytes) + " bytes");
    }
    return put(std::move(value));
  }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (name.size() > limits_.string_bytes) return refuse("a field name is too long");
    if (!level.keys.insert(name).second) return refuse("the field \"" + name.substr(0, 64) + "\" is there twice");
    if (level.keys.size() > limits_.fields) return refuse("an object has too many fields");
    level.last_key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  Json take() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  // An object or list that is not at its end yet.
  struct Level {
    Json* value;  // stays where it is: what holds it grows only behind its end
    std::set<std::string> keys;
    std::string last_key;  // empty in lists
  };

  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Json& place(Json value) {
    if (levels_.empty()) return root_ = std::move(value);
    Json& parent = *levels_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return parent.back();
    }
    // The key is not there yet: it was checked.
    auto& fields = parent.get_ref<Json::object_t&>();
    fields.emplace_back(levels_.back().last_key, std::move(value));
    return fields.back().second;
  }

  bool put(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json empty) {
    if (levels_.size() >= limits_.depth) return refuse("nested too deeply");
    Json& value = place(std::move(empty));
    levels_.push_back({.value = &value, .keys = {}, .last_key = {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  bool exempt() const {
    return !levels_.empty() && (levels_.back().last_key == "value" || levels_.back().last_key == "value_base64");
  }

  JsonLimits limits_;
  Json root_;
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
  Builder builder(limits);
  const bool whole = Json::sax_parse(text, &builder);
  return {whole ? builder.take() : Json(Json::value_t::discarded), builder.problem()};
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
