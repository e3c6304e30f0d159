// The commands about releases that legerd keeps.

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/command_tree.h"
#include "cli/release_delete.h"
#include "cli/release_diff.h"
#include "cli/release_download.h"

namespace leger {
namespace {

constexpr const char* kRelease = "VERSION, latest (the default), NAME or NAME@VERSION";

void declare_download(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DownloadOptions>();
  CLI::App* download = tree.add(group, "download", "Download the bundle of a release, as it was uploaded",
                                "  leger releases download\n"
                                "  leger releases download hello@2 -o old.tar.gz\n"
                                "  leger releases download 3 -o - | tar -tz\n"
                                "Without -o it is NAME-vVERSION.tar.gz in the current folder.\n");
  download->add_option("release", options->release, kRelease);
  download->add_option("--output,-o", options->file, "Write this file, or - for standard output")->type_name("FILE");
  download->add_flag("--force", options->force, "Replace a file that is there")->disable_flag_override();
  tree.on(download, [options](const Context& context) { return download_release(context, *options); });
}

void declare_delete(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DeleteReleaseOptions>();
  CLI::App* remove = tree.add(group, "delete", "Delete a release, which cannot be undone",
                              "  leger releases delete 3\n  leger releases delete hello@3 --force\n"
                              "One that is deployed, or kept to go back to, is refused.\n");
  remove->add_option("release", options->release, "VERSION or NAME@VERSION")->required();
  remove->add_flag("--force", options->force, "Do not ask")->disable_flag_override();
  tree.on(remove, [options](const Context& context) { return delete_release(context, *options); });
}

void declare_diff(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App* diff = tree.add(group, "diff", "Show what changed in the files from one release to another",
                            "  leger releases diff 3 4\n"
                            "  leger releases diff hello@3\n"
                            "  leger releases diff hello@3 hello --exit-code --json\n"
                            "Compares the files that the manifests list, in the form that patch reads.\n");
  diff->add_option("from", options->from, "VERSION, latest, NAME or NAME@VERSION")->required();
  diff->add_option("to", options->to, "The same; not needed for the newest of the same app");
  diff->add_flag("--exit-code", options->exit_code, "Exit 1 where something differs")->disable_flag_override();
  tree.on(diff, [options](const Context& context) { return diff_releases(context, *options); });
}

}  // namespace

void declare_kept_releases(CommandTree& tree) {
  CLI::App* group = tree.app().get_subcommand("releases");
  declare_download(tree, group);
  declare_delete(tree, group);
  declare_diff(tree, group);
}

}  // namespace leger
