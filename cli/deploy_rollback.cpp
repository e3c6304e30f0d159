#include "cli/deploy_rollback.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <utility>

#include "backend/base/text.h"
#include "cli/command_tree.h"
#include "cli/deploy.h"

namespace leger {

int roll_back_app(const Context& context, const RollbackOptions& options) {
  Output& output = context.output;
  std::string name = options.name;
  if (name.empty()) {
    auto only = only_app(context.api, "rollback");
    if (!only && only.error().code == Code::confirmation_required) return output.usage(only.error());
    if (!only) return output.fail(only.error());
    name = *std::move(only);
  }
  if (!options.yes) {
    const std::string question = "Go back to what " + in_quotes(name) + " ran with before?";
    const auto exit = output.unless_confirmed(question, "--yes", Output::No::fails);
    if (exit) return *exit;
  }
  const std::string path = "/api/deployments/" + percent_encode(name) + "/rollback";
  const auto deployment = await_end(context, context.api.post(path, Json::object(), kStartExtraMs));
  if (!deployment) return output.fail(deployment.error());
  output.success(shown(*deployment, "name") + " is back at v" + shown(*deployment, "version"));
  output.line("  What it wrote into its volumes meanwhile stays. Forward again: leger deploy rollback " +
              escape_controls(name));
  return kDone;
}

void declare_rollback(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<RollbackOptions>();
  CLI::App* rollback = tree.add(group, "rollback", "Go back to the release, secrets and images before",
                                "  leger deploy rollback\n  leger deploy rollback hello --yes\n");
  rollback->add_option("name", options->name, "The app; not needed where one is deployed");
  rollback->add_flag("--yes,-y,--force", options->yes, "Do not ask")->disable_flag_override();
  tree.on(rollback, [options](const Context& context) { return roll_back_app(context, *options); });
}

}  // namespace leger
