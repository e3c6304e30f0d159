#pragma once

// The parts of nlohmann's JSON that nearly every file uses, compiled once in json.cpp beside this instead of in each
// file: without this they are up to half of what compiling a file takes. Part of the precompiled headers; for speed
// alone, too.

#include <nlohmann/json.hpp>
#include <string>

namespace nlohmann {
namespace detail {

using TextInput = iterator_input_adapter<std::string::const_iterator>;
extern template class json_sax_dom_callback_parser<ordered_json>;
extern template class json_sax_dom_parser<ordered_json>;
extern template class lexer<ordered_json, TextInput>;
extern template class parser<ordered_json, TextInput>;
extern template class serializer<ordered_json>;

}  // namespace detail

extern template class basic_json<ordered_map>;

// Never called: what it uses of templates clang instantiates in the precompiled header.
inline bool use_of_json() {
  ordered_json value = ordered_json::parse(std::string());
  value["name"] = std::string();
  value.push_back({{"name", "text"}, {"count", 1}, {"yes", true}, {"list", ordered_json::array({"text"})}});
  for (const ordered_json& each : value.at("list")) value = each;
  return value == "text" && value.value("name", "") == value.dump() && value.get<std::string>().empty() &&
         value.get<bool>() && value["count"] == 1 && value == value && value.contains("name");
}

}  // namespace nlohmann
