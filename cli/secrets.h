#pragma once

// leger secrets: set, list, get, delete. Each gives the exit code.

#include <cstdint>
#include <optional>
#include <string>

#include "cli/context.h"

namespace leger {

struct SetSecretOptions {
  std::string name;
  std::string value;                        // the value itself, `-`, or `@FILE`
  bool raw = false;                         // keep the final newline of standard input
  std::optional<std::uint64_t> if_version;  // only where this is the current version; 0: where there is none
  bool apply = false;                       // then give it to the apps that run
};

struct GetSecretOptions {
  std::string name;
  std::optional<std::uint64_t> version;  // nothing: the current one
};

struct DeleteSecretOptions {
  std::string name;
  bool force = false;  // without being asked
};

int set_secret(const Context& context, const SetSecretOptions& options);
int list_secrets(const Context& context);
int get_secret(const Context& context, const GetSecretOptions& options);
int delete_secret(const Context& context, const DeleteSecretOptions& options);

}  // namespace leger
