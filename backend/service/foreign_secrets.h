#pragma once

// Podman has one secret a name. One that Leger did not make for the account is foreign: what has no label is nobody's
// and may be taken over where that was asked for, another account's never. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/service/install_options.h"
#include "quadlets/podman.h"

namespace leger {

// Those of `there` that have a name of `wanted` and are not the account's.
std::vector<PodmanSecret> foreign_secrets(const std::vector<PodmanSecret>& there, const std::string& user_uuid,
                                          const std::map<std::string, std::uint64_t>& wanted);

// conflict: what it is, and what to do about it.
Error foreign_secret(const PodmanSecret& secret);

// That error for the first of `foreign` that may not be taken over.
Result<void> check_foreign(const std::vector<PodmanSecret>& foreign, Adopt adopt);

}  // namespace leger
