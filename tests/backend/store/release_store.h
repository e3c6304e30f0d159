#pragma once

// A store with two users, and releases in it that are easily told apart.

#include <functional>
#include <string>
#include <utility>

#include "backend/store/releases.h"
#include "tests/backend/store/fixture.h"

namespace leger::test {

inline Result<void> place_nothing(const Release&) { return {}; }

struct ReleaseStore : Store {
  ReleaseStore() {
    add_user(kAlice);
    add_user(kBob);
  }
  SqliteReleases releases() { return SqliteReleases(database()); }

  // A release of which `bytes` tells the content.
  Release release(const std::string& user, const std::string& name, int bytes) {
    std::string sha256 = std::to_string(bytes);
    sha256.insert(0, 64 - sha256.size(), '0');
    return {.id = "release-" + std::to_string(++made_),
            .user_uuid = user,
            .deployment_name = name,
            .r2_path = {},
            .bundle_size_bytes = 15'360,
            .sha256 = sha256,
            .created_at = kNow,
            .files = {"app.container", "conf/app.conf"},
            .services = {"app"},
            .secrets_required = {}};
  }
  AddRelease request(Release added, std::function<Result<void>(const Release&)> place = place_nothing) {
    AuditRecord audit = audit_record("release.add", added.deployment_name);
    return {.release = std::move(added), .keep = keep, .audit = std::move(audit), .place = std::move(place)};
  }
  Result<AddOutcome> add(Release added, std::function<Result<void>(const Release&)> place = place_nothing) {
    SqliteReleases releases(database());
    return run(releases.add(request(std::move(added), std::move(place))));
  }
  Result<AddOutcome> add(const std::string& user, const std::string& name, int bytes) {
    return add(release(user, name, bytes));
  }
  Result<Release> remove(const std::string& user, std::uint64_t version) {
    SqliteReleases releases(database());
    return run(releases.remove(user, version, audit_record("release.delete", "")));
  }
  std::string versions(const ReleaseQuery& query) {
    std::string joined;
    const auto all = releases().list(query).value();
    for (const Release& listed : all) joined += std::to_string(listed.version) + " ";
    return joined;
  }

  std::uint32_t keep = 1000;

 private:
  int made_ = 0;
};

}  // namespace leger::test
