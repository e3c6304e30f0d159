#pragma once

// Podman's driver of a secret: its own, or the shell driver, whose commands are ours. The command of a look-up names
// the account, the secret and the version that the secret was put with, so that it needs no table of Podman's ids and
// always answers the version of the deployment. Pure.

#include <map>
#include <string>

#include "quadlets/podman.h"

namespace leger {

struct SecretDriver {
  std::string name;  // file, shell
  std::map<std::string, std::string> options;
};

// `labels` are those that the secret is put with: leger.user, leger.name and leger.version.
SecretDriver driver_of(const SecretKeeper& keeper, const std::map<std::string, std::string>& labels);

// What a request to create a secret has in its query for it, `&` first.
std::string query_of(const SecretDriver& driver);

}  // namespace leger
