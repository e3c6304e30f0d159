#pragma once

// leger deploy: install, update, remove. They wait for the end of what they started; each gives the exit code.

#include <cstdint>
#include <string>

#include "cli/context.h"
#include "cli/deploy_plan.h"

namespace leger {

struct RemoveOptions {
  std::string name;      // of the app; empty: the only one that is deployed
  bool volumes = false;  // its volumes too, which deletes their data
  bool yes = false;      // without being asked
};

int install_release(const Context& context, const DeployOptions& options);
// The newest release of the app `options.release`; empty: of the only one that is deployed.
int update_app(const Context& context, DeployOptions options);
int remove_app(const Context& context, const RemoveOptions& options);

// Beyond the usual time for the answer to a request that starts work: legerd may have to finish an older rollback
// first.
inline constexpr std::uint64_t kStartExtraMs = 600'000;

// The end of what an accepted request started: legerd's answer to it has the id.
Result<Json> await_end(const Context& context, const Result<Json>& accepted);

// The one app that is deployed; the error is deployment_not_found for none, confirmation_required for several. `verb`
// is the command's.
Result<std::string> only_app(ApiClient& api, const std::string& verb);

}  // namespace leger
