// Compiles what json.h beside this declares. It is in the library of backend/base, which every program is linked with,
// and where nothing was compiled with the precompiled headers nothing of it comes along.

#include "tests/pch/json.h"

namespace nlohmann {
namespace detail {

template class json_sax_dom_callback_parser<ordered_json>;
template class json_sax_dom_parser<ordered_json>;
template class lexer<ordered_json, TextInput>;
template class parser<ordered_json, TextInput>;
template class serializer<ordered_json>;

}  // namespace detail

template class basic_json<ordered_map>;

}  // namespace nlohmann
