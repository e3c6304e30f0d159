#pragma once

// The commands of leger as they are declared: their names, help and arguments, and what each does. Only commands*.cpp
// and command_tree.cpp include this, since CLI11 is slow to compile. What arguments are read into lives in the actions.

#include <CLI/App.hpp>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "cli/context.h"

namespace leger {

// Whether a command presents the token that is stored for the server; the Unix socket needs none. needed_for_source:
// what it asks of the server is a source of releases, and is named as that where there is no token.
enum class Token { needed, needed_for_source, none };

// A command that needs no server.
struct LocalCommand {
  CLI::App* command;
  std::function<int(const Io&, Output&)> action;
};

struct ServerCommand {
  CLI::App* command;
  std::function<int(const Context&)> action;
  Token token;
};

class CommandTree {
 public:
  explicit CommandTree(const std::string& description) : app_(description, "leger") {}

  CLI::App& app() { return app_; }
  const std::vector<ServerCommand>& server_commands() const { return server_commands_; }
  const std::vector<LocalCommand>& local_commands() const { return local_commands_; }

  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& description, const std::string& examples);
  // A command that is nothing without one of its own commands.
  CLI::App* add_group(const std::string& name, const std::string& description, const std::string& examples);

  // What `command` does. Of a command and one below it, the lower is declared first.
  void on(CLI::App* command, std::function<int(const Context&)> action, Token token = Token::needed);

  // The same for a command that needs no server: none is looked for.
  void on_local(CLI::App* command, std::function<int(const Io&, Output&)> action);

  // What to say of an argument too many of `command`, where it must not be shown or something better is known.
  void on_unexpected(const CLI::App* command, Error error) { unexpected_[command] = std::move(error); }
  const Error* unexpected(const CLI::App* command) const;

 private:
  CLI::App app_;
  std::vector<ServerCommand> server_commands_;
  std::vector<LocalCommand> local_commands_;
  std::map<const CLI::App*, Error> unexpected_;
};

// Checks of arguments: what is wrong, or nothing.
std::string positive(const std::string& text);
std::string whole_number(const std::string& text);

void declare_secrets(CommandTree& tree);
// What Podman runs: not shown in the help.
void declare_podman_secret(CommandTree& tree);
// `command` is what stood behind `--`, there once the command line was read.
void declare_run(CommandTree& tree, const std::vector<std::string>& command);
void declare_audit(CommandTree& tree);
void declare_releases(CommandTree& tree);
// download, delete and diff, in the group that is there.
void declare_kept_releases(CommandTree& tree);
// plan, install and update, in the group `deploy`.
void declare_installs(CommandTree& tree, CLI::App* group);
// list, status and history of deployments, in the group that is there.
void declare_deployed(CommandTree& tree);
void declare_admin(CommandTree& tree);
// rollback, in the group `deploy`.
void declare_rollback(CommandTree& tree, CLI::App* group);

}  // namespace leger
