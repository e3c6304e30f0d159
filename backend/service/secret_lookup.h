#pragma once

// Answers what Podman asks when a container starts: the value of a secret, in the version that a deployment was made
// with, and of no other. Owned by the daemon; loop thread.

#include <cstdint>
#include <string>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/service/secret_service.h"
#include "backend/store/deployments.h"

namespace leger {

struct SecretQuestion {
  std::string user_uuid;  // whose app it is
  std::string name;
  std::uint64_t version = 0;
};

class SecretLookup {
 public:
  // Both outlive this.
  SecretLookup(SecretService& secrets, Deployments& deployments) : secrets_(secrets), deployments_(deployments) {}

  // secret_not_found for what no live or unfinished deployment was made with, whoever asks. On record either way.
  Task<Result<Secret>> answer(SecretQuestion question, std::string request_id);

 private:
  SecretService& secrets_;
  Deployments& deployments_;
};

}  // namespace leger
