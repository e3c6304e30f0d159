// The commands about releases.

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/command_tree.h"
#include "cli/releases.h"
#include "cli/releases_pack.h"
#include "cli/releases_upload.h"

namespace leger {
namespace {

constexpr const char* kNameHelp = "Name of the app, where the folder has no manifest.json and its own name will not do";

void declare_upload(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<UploadOptions>();
  CLI::App* upload =
      tree.add(group, "upload", "Upload a folder or a bundle as a new release",
               "  leger releases upload ./hello\n"
               "  leger releases upload . --name hello\n"
               "  leger releases upload hello.tar.gz\n"
               "  leger releases pack ./hello -o - | leger releases upload -\n"
               "A folder is packed: all its files but hidden ones. Where it has no manifest.json, that is\n"
               "made from the units. An unchanged folder uploaded again makes no new release.\n");
  upload->add_option("source", options->source, "The folder, the .tar.gz, or - for standard input")->required();
  upload->add_option("--name", options->name, kNameHelp)->type_name("APP");
  tree.on(upload, [options](const Context& context) { return upload_release(context, *options); });
}

void declare_pack(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<PackReleaseOptions>();
  CLI::App* pack = tree.add(group, "pack", "Pack a folder into a bundle, without a server",
                            "  leger releases pack ./hello -o hello.tar.gz\n"
                            "  leger releases pack ./hello -o - | sha256sum\n"
                            "The same files give the same bytes, wherever they lie and whenever they were written.\n");
  pack->add_option("folder", options->folder, "The app's folder")->required();
  pack->add_option("--output,-o", options->file, "The bundle, or - for standard output")->required()->type_name("FILE");
  pack->add_option("--name", options->name, kNameHelp)->type_name("APP");
  tree.on_local(pack, [options](const Io& io, Output& output) { return pack_release(io, output, *options); });
}

void declare_validate(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<ValidateOptions>();
  CLI::App* validate =
      tree.add(group, "validate", "Tell what is wrong with a folder, without a server",
               "  leger releases validate ./hello\n"
               "  leger releases validate ./hello --json\n"
               "Errors keep the folder from being uploaded or its units from being made: exit code 1.\n"
               "What the units may do on the host is judged there, by leger deploy install.\n");
  validate->add_option("folder", options->folder, "The app's folder")->required();
  validate->add_option("--name", options->name, kNameHelp)->type_name("APP");
  tree.on_local(validate, [options](const Io&, Output& output) { return validate_release(output, *options); });
}

void declare_list(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<ListReleasesOptions>();
  CLI::App* list = tree.add(group, "list", "List releases, newest first",
                            "  leger releases list --name hello --limit 5\n  leger releases list --all\n");
  list->add_option("--name", options->name, "Only those of this app")->type_name("APP");
  list->add_option("--limit", options->limit, "At most so many")->check(positive)->type_name("N");
  list->add_flag("--all", options->all, "Every one")->disable_flag_override();
  tree.on(list, [options](const Context& context) { return list_releases(context, *options); });
}

void declare_show(CommandTree& tree, CLI::App* group) {
  const auto version = std::make_shared<std::string>("latest");
  CLI::App* show = tree.add(group, "show", "Show a release", "  leger releases show\n  leger releases show hello@3\n");
  show->add_option("version", *version, "VERSION, latest (the default), NAME or NAME@VERSION");
  tree.on(show, [version](const Context& context) { return show_release(context, *version); });
}

}  // namespace

void declare_releases(CommandTree& tree) {
  CLI::App* group =
      tree.add_group("releases", "Manage release bundles", "  leger releases upload ./hello\n  leger releases list\n");
  declare_upload(tree, group);
  declare_validate(tree, group);
  declare_pack(tree, group);
  declare_list(tree, group);
  declare_show(tree, group);
}

}  // namespace leger
