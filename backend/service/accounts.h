#pragma once

// Accounts, the one that runs legerd, and who may operate this host. Loop thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/identities.h"
#include "backend/service/this_node.h"
#include "backend/store/users.h"

namespace leger {

struct AccountSettings {
  std::optional<std::int64_t> owner;    // Tailscale user id; nothing: the user of this node
  std::vector<std::int64_t> operators;  // Tailscale user ids
};

// What a client said of itself beside what was proven; recorded, never believed.
struct ClientNotes {
  std::string hostname;
  std::string cli_version;
};

class Accounts {
 public:
  // All outlive this.
  Accounts(Users& users, const Clock& clock, const ThisNode& node, AccountSettings settings);

  // The owner's account, made at the first start: of the Tailscale user where one is known by now, else keyed on
  // `login` and `host` until it is. conflict where the configuration names another owner than the account has.
  Task<Result<User>> ensure_owner(std::string login, std::string host);

  // The account of somebody who has just proven to be it, made or updated.
  Task<Result<User>> record(Identity identity, ClientNotes notes);

  Result<std::optional<User>> find(const std::string& user_uuid) { return users_.find(user_uuid); }

  // The owner is an operator wherever they come from; so is whom the configuration lists or the app capability names.
  bool is_operator(const std::string& user_uuid, const Identity& identity) const;
  const std::string& owner_uuid() const { return owner_uuid_; }

 private:
  std::optional<std::string> owner_id() const;
  Result<void> check_configured_owner(const User& owner);

  Users& users_;
  const Clock& clock_;
  const ThisNode& node_;
  const AccountSettings settings_;
  std::string owner_uuid_;
};

}  // namespace leger
