#include "backend/tailscale/fields.h"

#include <algorithm>
#include <utility>

namespace leger {
namespace {

// More than any name that Tailscale gives; what is kept and shown stays small.
constexpr std::size_t kMostText = 1000;

bool is_text(const Json& value) { return value.is_string() && value.get_ref<const std::string&>().size() <= kMostText; }

const Json& no_fields() {
  static const Json kNone = Json::object();
  return kNone;
}

}  // namespace

Fields::Fields(const Json& object, std::string path, std::string& problem)
    : object_(object), path_(std::move(path)), problem_(problem) {}

std::string Fields::path_of(const char* name) const { return path_.empty() ? name : path_ + "." + name; }

const Json* Fields::field(const char* name) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

void Fields::odd(const char* name) {
  if (problem_.empty()) problem_ = path_of(name);
}

std::string Fields::text(const char* name) {
  const Json* value = field(name);
  if (value != nullptr && is_text(*value)) return value->get<std::string>();
  odd(name);
  return {};
}

std::string Fields::text_if_there(const char* name) { return has(name) ? text(name) : std::string(); }

std::string Fields::id(const char* name) {
  std::string value = text(name);
  if (value.empty()) odd(name);
  return value;
}

std::int64_t Fields::number(const char* name) {
  const auto value = integer_field(object_, name);
  if (value && *value >= 0) return *value;
  odd(name);
  return 0;
}

std::int64_t Fields::positive(const char* name) {
  const std::int64_t value = number(name);
  if (value == 0) odd(name);
  return value;
}

std::int64_t Fields::number_if_there(const char* name) { return has(name) ? number(name) : 0; }

bool Fields::flag(const char* name) {
  const auto value = bool_field(object_, name);
  if (!value && has(name)) odd(name);
  return value.value_or(false);
}

std::vector<std::string> Fields::texts(const char* name) {
  const Json* list = field(name);
  if (list == nullptr || list->is_null()) return {};
  if (!list->is_array() || !std::ranges::all_of(*list, is_text)) {
    odd(name);
    return {};
  }
  std::vector<std::string> texts;
  for (const Json& item : *list) texts.push_back(item.get<std::string>());
  return texts;
}

Fields Fields::object(const char* name) {
  const Json* value = field(name);
  const bool is_object = value != nullptr && value->is_object();
  if (!is_object) odd(name);
  return {is_object ? *value : no_fields(), path_of(name), problem_};
}

Fields Fields::object_if_there(const char* name) {
  const Json* value = field(name);
  if (value != nullptr && !value->is_null()) return object(name);
  return {no_fields(), path_of(name), problem_};
}

}  // namespace leger
