#pragma once

// What the commands about secrets ask of legerd, with its errors in the second seed's words. Values go in and come out
// as Secret; nothing else keeps one. One thread.

#include <cstdint>
#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "backend/base/secret.h"
#include "cli/api_client.h"

namespace leger {

// The rule about names, for people.
extern const char* const kSecretNameRule;

// What there is to say against a name that would change the path of its request; every other rule about names is
// legerd's.
std::optional<Error> unusable(const std::string& name);

// The second seed's text in place of what legerd says of an absent secret; its dialect has no place for what to do.
Error with_seed_text(Error error, const std::string& name);
// The same where one version was asked for.
Error with_version_text(Error error, const std::string& name, std::uint64_t version);

// Stores a value; with `if_version` only where that is the current version, 0 where there is none. Gives legerd's data.
Result<Json> put_secret(ApiClient& api, const std::string& name, const Secret& value,
                        std::optional<std::uint64_t> if_version = std::nullopt);

// legerd's data with all secrets in its `secrets`, which is a list: asked for in pages, since a list may be long.
Result<Json> fetch_secret_list(ApiClient& api);

// legerd's data with the value in it, to be taken out with take_value(); without `version` the current one.
Result<Json> fetch_secret(ApiClient& api, const std::string& name, std::optional<std::uint64_t> version = std::nullopt);

// The value of an answer, wiped from it. upstream_failed where there is none that can be read.
Result<Secret> take_value(const ApiClient& api, Json& data);

// Puts `value` into `object`: text as `value`, anything else in base64 as `value_base64`. Gives the field, which is to
// be wiped once `object` is written.
std::string& put_value(Json& object, const Secret& value);

}  // namespace leger
