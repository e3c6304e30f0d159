// The commands about secrets, their audit and their keys.

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <utility>

#include "cli/admin.h"
#include "cli/audit.h"
#include "cli/command_tree.h"
#include "cli/run_command.h"
#include "cli/secret_files.h"
#include "cli/secret_history.h"
#include "cli/secret_sync.h"
#include "cli/secrets.h"

namespace leger {
namespace {

constexpr const char* kNameOfSecret = "Name of the secret";
constexpr const char* kApply = "Restart the apps that use it, and take the old value back where they fail";

void declare_set(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<SetSecretOptions>();
  CLI::App* set = tree.add(group, "set", "Create or update a secret",
                           "  echo \"$KEY\" | leger secrets set openai_api_key -\n"
                           "  leger secrets set ssh_key @~/.ssh/id_ed25519\n"
                           "  leger secrets set --raw banner - < banner.txt\n"
                           "  leger secrets set api_key - --if-version 3 < new_key\n"
                           "  leger secrets set api_key - --apply < new_key\n"
                           "A value that begins with - or @ goes through standard input.\n");
  set->add_option("name", options->name, kNameOfSecret)->required();
  set->add_option("value", options->value, "- for standard input, @FILE for a file, or the value itself")->required();
  set->add_flag("--raw", options->raw, "Keep the final newline of a one-line standard input")->disable_flag_override();
  set->add_option("--if-version", options->if_version,
                  "Only where this version is the current one; 0: where there is no such secret")
      ->check(whole_number)
      ->type_name("N");
  set->add_flag("--apply", options->apply, kApply)->disable_flag_override();
  tree.on(set, [options](const Context& context) { return set_secret(context, *options); });
  // The argument may be a piece of the value: not a word of it.
  tree.on_unexpected(set, {Code::invalid_request,
                           "secrets set takes a name and one value.",
                           "Quote a value that has blanks; one that begins with a dash goes through standard input:\n"
                           "  leger secrets set NAME -",
                           {}});
}

void declare_get(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<GetSecretOptions>();
  CLI::App* get = tree.add(group, "get", "Print a secret's value, without a newline",
                           "  export OPENAI_KEY=\"$(leger secrets get openai_api_key)\"\n"
                           "  leger secrets get openai_api_key --version 2\n");
  get->add_option("name", options->name, kNameOfSecret)->required();
  get->add_option("--version", options->version, "An older value; see leger secrets history")
      ->check(positive)
      ->type_name("N");
  tree.on(get, [options](const Context& context) { return get_secret(context, *options); });
}

void declare_delete(CommandTree& tree, CLI::App* group) {
  const auto options = std::make_shared<DeleteSecretOptions>();
  CLI::App* remove = tree.add(group, "delete", "Delete a secret, which cannot be undone",
                              "  leger secrets delete old_key\n  leger secrets delete old_key --force\n");
  remove->add_option("name", options->name, kNameOfSecret)->required();
  remove->add_flag("--force", options->force, "Do not ask")->disable_flag_override();
  tree.on(remove, [options](const Context& context) { return delete_secret(context, *options); });
}

void declare_history(CommandTree& tree, CLI::App* group) {
  const auto name = std::make_shared<std::string>();
  CLI::App* history = tree.add(group, "history", "List a secret's versions, and tell who last read it",
                               "  leger secrets history openai_api_key\n");
  history->add_option("name", *name, kNameOfSecret)->required();
  tree.on(history, [name](const Context& context) { return show_history(context, *name); });

  const auto options = std::make_shared<RollbackOptions>();
  CLI::App* rollback = tree.add(group, "rollback", "Give a secret an older value again, as a new version",
                                "  leger secrets rollback openai_api_key\n"
                                "  leger secrets rollback openai_api_key 2\n");
  rollback->add_option("name", options->name, kNameOfSecret)->required();
  rollback->add_option("version", options->version, "Whose value; not needed for the one before the current")
      ->check(positive);
  rollback->add_flag("--apply", options->apply, kApply)->disable_flag_override();
  tree.on(rollback, [options](const Context& context) { return roll_back(context, *options); });
}

void declare_sync(CommandTree& tree, CLI::App* group) {
  CLI::App* sync = tree.add(group, "sync", "Give running apps the newest values, and restart what uses a changed one",
                            "  leger secrets sync\n"
                            "Where what was restarted is not healthy, all of it goes back to the values before.\n");
  tree.on(sync, [](const Context& context) { return sync_secrets(context); });
}

void declare_files(CommandTree& tree, CLI::App* group) {
  const auto taken = std::make_shared<ImportOptions>();
  CLI::App* import =
      tree.add(group, "import", "Set all secrets of a dotenv file",
               "  leger secrets import .env --dry-run\n"
               "  leger secrets import .env\n"
               "  decrypt production.env | leger secrets import -\n"
               "Lines are NAME=VALUE, perhaps after export; # begins a comment. 'VALUE' stands as it is,\n"
               "\"VALUE\" has the escapes \\n \\r \\t \\\" \\\\ \\$, both may go over several lines.\n");
  import->add_option("file", taken->file, "The file, or - for standard input")->required();
  import->add_flag("--dry-run", taken->dry_run, "Only list the names")->disable_flag_override();
  tree.on(import, [taken](const Context& context) { return import_secrets(context, *taken); });

  const auto given = std::make_shared<ExportOptions>();
  CLI::App* export_ = tree.add(group, "export", "Print secrets as a dotenv file, values and all",
                               "  leger secrets export --output backup.env\n"
                               "  leger secrets export db_password api_key\n"
                               "  leger secrets export --json\n");
  export_->add_option("name", given->names, "Names of secrets; none for every one");
  export_->add_option("--output,-o", given->file, "Write this file, which only you can read")->type_name("FILE");
  tree.on(export_, [given](const Context& context) { return export_secrets(context, *given); });
}

}  // namespace

void declare_secrets(CommandTree& tree) {
  CLI::App* group = tree.add_group("secrets", "Manage secrets", "  leger secrets list\n  leger secrets get api_key\n");
  declare_set(tree, group);
  CLI::App* list = tree.add(group, "list", "List all secrets, without their values", "  leger secrets list --json\n");
  tree.on(list, [](const Context& context) { return list_secrets(context); });
  declare_get(tree, group);
  declare_delete(tree, group);
  declare_history(tree, group);
  declare_sync(tree, group);
  declare_files(tree, group);
}

void declare_run(CommandTree& tree, const std::vector<std::string>& command) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* run =
      tree.add(&tree.app(), "run", "Start a command that has secrets in its environment",
               "  leger run --secret API_KEY -- ./server --port 8080\n"
               "  leger run --secret db-password=PGPASSWORD --secret api_key=KEY -- psql -h db\n\n"
               "leger run --secret NAME[=VARIABLE]... -- COMMAND [ARGUMENT...]\n"
               "The command stands behind --. Its exit code is leger's; 127 where it is not found, 126 where\n"
               "it cannot be started. It is started only once all its secrets are there.\n");
  run->add_option("--secret", options->secrets, "The secret, and the variable if that is not its name")
      ->allow_extra_args(false)
      ->type_name("NAME[=VARIABLE]");
  tree.on(run, [options, &command](const Context& context) {
    return run_command(context, {.secrets = options->secrets, .command = command});
  });
  tree.on_unexpected(run, {Code::invalid_request,
                           "leger run takes a command only behind --, and of its own --secret.",
                           "  leger run --secret NAME -- COMMAND",
                           {}});
}

void declare_audit(CommandTree& tree) {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* audit = tree.add(&tree.app(), "audit", "Show who read and changed what, newest first",
                             "  leger audit\n"
                             "  leger audit --object openai_api_key --action secret.read\n"
                             "  leger audit --limit 500 --json\n"
                             "  leger audit verify\n");
  audit->require_subcommand(0, 1);
  audit->add_option("--limit", options->limit, "At most so many entries; 50 by itself")
      ->check(positive)
      ->type_name("N");
  audit->add_option("--object", options->filter.object, "Only about this secret, app or release")->type_name("NAME");
  audit->add_option("--action", options->filter.action, "Only of this kind, as secret.read")->type_name("ACTION");
  CLI::App* verify = tree.add(audit, "verify", "Check that no entry was changed or taken away",
                              "  leger audit verify\n  leger audit verify --json\n");
  tree.on(verify, [](const Context& context) { return verify_audit(context); });
  tree.on(audit, [options](const Context& context) { return show_audit(context, *options); });
}

void declare_admin(CommandTree& tree) {
  CLI::App* group = tree.add_group("admin", "Look after the keys of legerd, on its own host",
                                   "  leger admin rotate-key\n  leger admin rotate-kek --new-key ./new.kek\n");
  CLI::App* data_key = tree.add(group, "rotate-key", "Encrypt what is stored with a new data key",
                                "  leger admin rotate-key\n"
                                "legerd goes on serving meanwhile.\n");
  tree.on(data_key, [](const Context& context) { return rotate_key(context); });

  const auto file = std::make_shared<std::string>();
  CLI::App* kek = tree.add(group, "rotate-kek", "Wrap the data keys with a new key-encryption key",
                           "  (umask 277; head -c 32 /dev/urandom > new.kek)\n"
                           "  leger admin rotate-kek --new-key new.kek\n"
                           "The new file then takes the old one's place; the answer says how.\n");
  kek->add_option("--new-key", *file, "The file of the new key, 32 bytes")->required()->type_name("FILE");
  tree.on(kek, [file](const Context& context) { return rotate_kek(context, *file); });
}

}  // namespace leger
