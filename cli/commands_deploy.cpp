// The commands that put a release on the host, and the one that only says what that would do.

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/command_tree.h"
#include "cli/deploy.h"
#include "cli/deploy_plan.h"

namespace leger {
namespace {

constexpr const char* kReleaseHelp = "VERSION, latest (the default), NAME or NAME@VERSION";

void add_consent(CLI::App* command, DeployOptions& options) {
  command->add_flag("--dry-run", options.dry_run, "Print the plan and change nothing")->disable_flag_override();
  command->add_flag("--yes,-y", options.yes, "Accept what the plan flags, without being asked")
      ->disable_flag_override();
  command->add_flag("--retry", options.retry, "Try a release again that did not start here")->disable_flag_override();
  command->add_flag("--adopt", options.adopt, "Take over secrets in Podman that Leger did not make")
      ->disable_flag_override();
}

void declare_plan(CommandTree& tree, CLI::App* group) {
  const auto release = std::make_shared<std::string>("latest");
  CLI::App* plan = tree.add(group, "plan", "Say what deploying a release would do, and change nothing",
                            "  leger deploy plan\n  leger deploy plan hello@2 --json\n"
                            "Exit code 1 where the release cannot be installed.\n");
  plan->add_option("release", *release, kReleaseHelp);
  tree.on(
      plan, [release](const Context& context) { return plan_release(context, *release); }, Token::needed_for_source);
}

void declare_install(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DeployOptions>();
  CLI::App* install = tree.add(group, "install", "Deploy a release and wait until it runs",
                               "  leger deploy install\n  leger deploy install 3\n"
                               "  leger deploy install hello@2 --dry-run\n  leger deploy install hello --yes\n");
  install->add_option("release", options->release, kReleaseHelp);
  add_consent(install, *options);
  tree.on(
      install, [options](const Context& context) { return install_release(context, *options); },
      Token::needed_for_source);
}

void declare_update(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DeployOptions>();
  options->release.clear();
  CLI::App* update = tree.add(group, "update", "Deploy the newest release of an app",
                              "  leger deploy update\n  leger deploy update hello --yes\n");
  update->add_option("name", options->release, "The app; not needed where one is deployed");
  add_consent(update, *options);
  tree.on(
      update, [options](const Context& context) { return update_app(context, *options); }, Token::needed_for_source);
}

}  // namespace

void declare_installs(CommandTree& tree, CLI::App* group) {
  declare_plan(tree, group);
  declare_install(tree, group);
  declare_update(tree, group);
}

}  // namespace leger
