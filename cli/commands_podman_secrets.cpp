// The commands that Podman runs for its secrets.

#include <memory>

#include "cli/command_tree.h"
#include "cli/output.h"
#include "cli/podman_secret.h"

namespace leger {

void declare_podman_secret(CommandTree& tree) {
  CLI::App* group = tree.add_group("podman-secret", "What Podman runs where legerd keeps the values of its secrets",
                                   "  leger podman-secret lookup USER NAME VERSION\n");
  group->group("");  // hidden
  const auto options = std::make_shared<LookupOptions>();
  CLI::App* lookup = tree.add(group, "lookup", "Print the value that a deployed app was made with",
                              "  leger podman-secret lookup USER NAME VERSION\n");
  lookup->add_option("user", options->user_uuid, "The account")->required();
  lookup->add_option("name", options->name, "The secret")->required();
  lookup->add_option("version", options->version, "Its version")->required()->check(positive);
  tree.on(lookup, [options](const Context& context) { return look_up_for_podman(context, *options); });

  CLI::App* store = tree.add(group, "store", "Keep nothing", "  leger podman-secret store\n");
  tree.on_local(store, store_for_podman);
  CLI::App* list = tree.add(group, "list", "List nothing", "  leger podman-secret list\n");
  tree.on_local(list, [](const Io&, Output&) { return kDone; });
  CLI::App* remove = tree.add(group, "delete", "Delete nothing", "  leger podman-secret delete\n");
  tree.on_local(remove, delete_for_podman);
}

}  // namespace leger
