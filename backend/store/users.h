#pragma once

// Accounts. A seam: SQLite today, a server database for several hosts tomorrow. Loop thread.

#include <cstdint>
#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/database.h"

namespace leger {

struct User {
  std::string user_uuid;
  std::string tailscale_user_id;  // decimal; `local:USER@HOST` until it is known
  std::string tailscale_email;
  std::string tailnet;
  std::optional<std::string> display_name;
  std::string created_at;  // RFC 3339
  std::string last_seen;
  std::optional<std::string> last_device_id;
  std::optional<std::string> last_device_hostname;
  std::optional<std::string> cli_version;
  std::int64_t total_authentications = 0;
};

// What a proven sign-in says about its user and device.
struct SignIn {
  std::string user_uuid;          // for a new account
  std::string tailscale_user_id;  // which account it is
  std::string tailscale_email;
  std::string tailnet;
  std::optional<std::string> display_name;
  std::optional<std::string> device_id;
  std::optional<std::string> device_hostname;
  std::optional<std::string> cli_version;
  std::string now;        // RFC 3339
  bool is_owner = false;  // the owner's Tailscale id: an owner's row without one gets it
};

class Users {
 public:
  virtual ~Users() = default;
  virtual Result<std::optional<User>> find(const std::string& user_uuid) = 0;
  virtual Result<std::optional<User>> find_by_tailscale_id(const std::string& tailscale_user_id) = 0;
  // The account that runs legerd; nothing before its first start.
  virtual Result<std::optional<User>> owner() = 0;
  // Makes the owner's row; conflict where there is an owner.
  virtual Task<Result<void>> add_owner(User user) = 0;
  // Makes or updates the account in one transaction and counts the sign-in: by its Tailscale id; where there is none
  // of that id and it is the owner's, the owner's row whose id is not decimal yet gets it. Gives the row as it is now.
  virtual Task<Result<User>> record(SignIn sign_in) = 0;
};

class SqliteUsers final : public Users {
 public:
  explicit SqliteUsers(Database& database) : database_(database) {}
  Result<std::optional<User>> find(const std::string& user_uuid) override;
  Result<std::optional<User>> find_by_tailscale_id(const std::string& tailscale_user_id) override;
  Result<std::optional<User>> owner() override;
  Task<Result<void>> add_owner(User user) override;
  Task<Result<User>> record(SignIn sign_in) override;

 private:
  Database& database_;
};

}  // namespace leger
