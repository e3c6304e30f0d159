#include "backend/service/foreign_secrets.h"

namespace leger {
namespace {

constexpr const char* kUserLabel = "leger.user";

}  // namespace

std::vector<PodmanSecret> foreign_secrets(const std::vector<PodmanSecret>& there, const std::string& user_uuid,
                                          const std::map<std::string, std::uint64_t>& wanted) {
  std::vector<PodmanSecret> foreign;
  for (const PodmanSecret& secret : there) {
    if (!wanted.contains(secret.name)) continue;
    const auto user = secret.labels.find(kUserLabel);
    if (user == secret.labels.end() || user->second != user_uuid) foreign.push_back(secret);
  }
  return foreign;
}

Error foreign_secret(const PodmanSecret& secret) {
  const bool is_nobodys = !secret.labels.contains(kUserLabel);
  return {Code::conflict,
          "Podman already has a secret \"" + secret.name + "\" that Leger did not make for you.",
          is_nobodys ? "Replace it with yours of the same name (--adopt), remove it (podman secret rm " + secret.name +
                           "), or use another name."
                     : "Use another name: it belongs to another account's app.",
          {}};
}

Result<void> check_foreign(const std::vector<PodmanSecret>& foreign, Adopt adopt) {
  for (const PodmanSecret& secret : foreign) {
    const bool is_nobodys = !secret.labels.contains(kUserLabel);
    if (!is_nobodys || adopt == Adopt::no) return Fail(foreign_secret(secret));
  }
  return {};
}

}  // namespace leger
