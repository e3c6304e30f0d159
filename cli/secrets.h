#pragma once

// leger secrets: set, list, get, delete. Each gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

struct SetSecretOptions {
  std::string name;
  std::string value;  // the value itself, `-`, or `@FILE`
  bool raw = false;   // keep the final newline of standard input
};

struct DeleteSecretOptions {
  std::string name;
  bool force = false;  // without being asked
};

int set_secret(const Context& context, const SetSecretOptions& options);
int list_secrets(const Context& context);
int get_secret(const Context& context, const std::string& name);
int delete_secret(const Context& context, const DeleteSecretOptions& options);

}  // namespace leger
