#pragma once

// Accounts, and the one that runs legerd. Loop thread.

#include <string>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/users.h"

namespace leger {

class Accounts {
 public:
  // Both outlive this.
  Accounts(Users& users, const Clock& clock) : users_(users), clock_(clock) {}

  // The owner's account, made at the first start: keyed on `login` and `host` until its Tailscale id is known.
  Task<Result<User>> ensure_owner(std::string login, std::string host);

 private:
  Users& users_;
  const Clock& clock_;
};

}  // namespace leger
