#include "backend/service/accounts.h"

#include <algorithm>
#include <utility>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

constexpr std::size_t kMaxNote = 255;  // bytes of what a client says of itself

std::optional<std::string> noted(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text.substr(0, kMaxNote);
}

// What an account's uuid is made of: the user id, or the login name that the control API has confirmed.
std::string_view name_of_account(std::string_view tailscale_user_id) {
  constexpr std::string_view kLogin = "login:";
  if (tailscale_user_id.starts_with(kLogin)) tailscale_user_id.remove_prefix(kLogin.size());
  return tailscale_user_id;
}

bool is_user_id(const std::string& text) { return parse_number(text).has_value(); }

}  // namespace

Accounts::Accounts(Users& users, const Clock& clock, const ThisNode& node, AccountSettings settings)
    : users_(users), clock_(clock), node_(node), settings_(std::move(settings)) {}

// The owner's Tailscale user id in decimal, where it is known. A tagged node has no user.
std::optional<std::string> Accounts::owner_id() const {
  if (settings_.owner) return std::to_string(*settings_.owner);
  const NodeStatus* node = node_.known();
  if (node == nullptr || !node->is_running() || !node->tags.empty() || node->user_id <= 0) return std::nullopt;
  return std::to_string(node->user_id);
}

// What the configuration says of the owner is not to be passed over in silence: whoever is the owner operates this host
// and sees what is set over its socket.
Result<void> Accounts::check_configured_owner(const User& owner) {
  if (!settings_.owner) return {};
  const std::string wanted = std::to_string(*settings_.owner);
  if (owner.tailscale_user_id == wanted) return {};
  const std::string action = "Remove the line, or begin with a new state_dir: accounts are not merged.";
  if (is_user_id(owner.tailscale_user_id)) {
    return Fail({Code::conflict,
                 "owner = \"" + wanted + "\" in legerd.toml, but this state folder is the Tailscale user " +
                     owner.tailscale_user_id + "'s (" + owner.tailscale_email + ").",
                 action,
                 {}});
  }
  const auto other = users_.find_by_tailscale_id(wanted);
  if (!other) return Fail(other.error());
  if (!*other) return {};
  return Fail({Code::conflict,
               "owner = \"" + wanted +
                   "\" in legerd.toml, but that Tailscale user has signed in here before, to an "
                   "account of their own.",
               action,
               {}});
}

Task<Result<User>> Accounts::ensure_owner(std::string login, std::string host) {
  auto known = users_.owner();
  if (!known) co_return Fail(known.error());
  if (*known) {
    if (auto fits = check_configured_owner(**known); !fits) co_return Fail(fits.error());
    owner_uuid_ = (*known)->user_uuid;
    co_return std::move(**known);
  }
  const std::string id = owner_id().value_or("local:" + login + "@" + host);
  const std::string now = rfc3339(clock_.wall_seconds());
  User owner{.user_uuid = name_uuid(id),
             .tailscale_user_id = id,
             .tailscale_email = login + "@" + host,
             .tailnet = host,
             .display_name = login,
             .created_at = now,
             .last_seen = now};
  const NodeStatus* node = node_.known();
  if (node != nullptr && id == std::to_string(node->user_id)) {
    owner.tailscale_email = node->login_name;
    owner.tailnet = node->tailnet;
    owner.display_name = node->display_name;
  }
  auto added = co_await users_.add_owner(owner);
  if (!added) co_return Fail(added.error());
  owner_uuid_ = owner.user_uuid;
  co_return owner;
}

Task<Result<User>> Accounts::record(Identity identity, ClientNotes notes) {
  SignIn sign_in{.user_uuid = name_uuid(name_of_account(identity.tailscale_user_id)),
                 .tailscale_user_id = identity.tailscale_user_id,
                 .tailscale_email = std::move(identity.login_name),
                 .tailnet = std::move(identity.tailnet),
                 .display_name = noted(identity.display_name),
                 .device_id = noted(identity.device_id),
                 .device_hostname = noted(notes.hostname.empty() ? identity.hostname : notes.hostname),
                 .cli_version = noted(notes.cli_version),
                 .now = rfc3339(clock_.wall_seconds()),
                 .is_owner = owner_id() == identity.tailscale_user_id};
  co_return co_await users_.record(std::move(sign_in));
}

bool Accounts::is_operator(const std::string& user_uuid, const Identity& identity) const {
  if (user_uuid == owner_uuid_) return true;
  if (std::ranges::contains(identity.roles, "operator")) return true;
  if (!is_user_id(identity.tailscale_user_id)) return false;
  return std::ranges::any_of(settings_.operators,
                             [&identity](std::int64_t id) { return std::to_string(id) == identity.tailscale_user_id; });
}

}  // namespace leger
