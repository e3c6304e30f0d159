// The commands that look at deployments.

#include <memory>
#include <string>

#include "cli/command_tree.h"
#include "cli/deploy_history.h"
#include "cli/deploy_status.h"

namespace leger {

void declare_deployed(CommandTree& tree) {
  CLI::App* group = tree.app().get_subcommand("deploy");
  const auto listed = std::make_shared<std::string>();
  CLI::App* list = tree.add(group, "list", "List the last deployments, newest first",
                            "  leger deploy list\n  leger deploy list --name hello\n");
  list->add_option("--name", *listed, "Only those of this app")->type_name("APP");
  tree.on(list, [listed](const Context& context) { return list_deployments(context, *listed); });

  const auto watched = std::make_shared<std::string>();
  CLI::App* status =
      tree.add(group, "status", "Show what is deployed: release, units, images, secrets and the last deployment",
               "  leger deploy status\n  leger deploy status hello --json\n");
  status->add_option("name", *watched, "The app; not needed for all");
  tree.on(status, [watched](const Context& context) { return show_deployed(context, *watched); });

  const auto past = std::make_shared<std::string>();
  CLI::App* history = tree.add(group, "history", "List all deployments, newest first, how each ended and why",
                               "  leger deploy history\n  leger deploy history hello\n");
  history->add_option("name", *past, "The app; not needed for all");
  tree.on(history, [past](const Context& context) { return show_deployment_history(context, *past); });
}

}  // namespace leger
