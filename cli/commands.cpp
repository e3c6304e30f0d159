#include "cli/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "cli/auth.h"
#include "cli/auth_file.h"
#include "cli/command_tree.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/deploy.h"
#include "cli/login.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/sign_in.h"
#include "cli/status.h"
#include "cli/target.h"

namespace leger {
namespace {

// Where the command of `leger run` begins: behind the first `--`, and nothing of it is leger's to read. The end for any
// other command.
std::size_t begin_of_command(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--server" || argument == "--socket") ++i;
    if (argument.starts_with('-')) continue;
    if (argument != "run") break;
    const auto mark = std::find(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end(), "--");
    return static_cast<std::size_t>(mark - arguments.begin()) + (mark == arguments.end() ? 0 : 1);
  }
  return arguments.size();
}

// The tree of commands with what their arguments are read into.
class CommandLine {
 public:
  explicit CommandLine(const Io& io) : io_(io) {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "leger " LEGER_VERSION, "Print the version");
    server_flag_ = app_.add_option("--server", server_text_, "legerd to talk to: https://HOST[:PORT] or unix:PATH")
                       ->type_name("URL");
    socket_flag_ = app_.add_option("--socket", socket_text_, "Unix socket of legerd")->type_name("PATH");
    app_.add_flag("--json")->description("Print the data as JSON, errors too")->disable_flag_override();
    app_.footer(
        "The server is --server or --socket, else LEGER_API_URL, else $XDG_RUNTIME_DIR/leger/legerd.sock where it\n"
        "exists, else the one last signed in to. Over the socket no sign-in is needed.\n"
        "These flags may stand before or after the command. COMMAND --help tells more.\n\n"
        "Examples:\n"
        "  echo \"$KEY\" | leger secrets set openai_api_key -\n"
        "  leger releases upload ./hello\n"
        "  leger deploy install latest\n"
        "  leger status\n");
    declare_secrets(tree_);
    declare_podman_secret(tree_);
    declare_run(tree_, command_);
    declare_audit(tree_);
    declare_releases(tree_);
    declare_kept_releases(tree_);
    declare_deploy();
    declare_auth();
    declare_sign_in_by_page();
    declare_others();
    declare_admin(tree_);
  }

  // Gives the exit code.
  int run(std::vector<std::string> arguments, Output& output) {
    const auto command = arguments.begin() + static_cast<std::ptrdiff_t>(begin_of_command(arguments));
    command_.assign(command, arguments.end());
    arguments.erase(command, arguments.end());
    std::ranges::reverse(arguments);
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      // `secrets set NAME -hunter2` is no call for help.
      return app_.remaining_size(true) == 0 ? print(output, help_of(deepest())) : unexpected(output);
    } catch (const CLI::CallForVersion& version) {
      return print(output, std::string(version.what()) + "\n");
    } catch (const CLI::ParseError& error) {
      return app_.remaining_size(true) == 0 ? misused(output, error) : unexpected(output);
    }
    return call(output);
  }

 private:
  void declare_deploy() {
    CLI::App* group =
        tree_.add_group("deploy", "Put releases on the host", "  leger deploy install\n  leger deploy remove\n");
    declare_installs(tree_, group);

    declare_rollback(tree_, group);

    CLI::App* remove = tree_.add(group, "remove", "Remove an app; its volumes and releases stay",
                                 "  leger deploy remove hello\n  leger deploy remove hello --volumes --yes\n");
    remove->add_option("name", remove_.name, "The app; not needed where one is deployed");
    remove->add_flag("--volumes", remove_.volumes, "Delete its volumes too")->disable_flag_override();
    remove->add_flag("--yes,-y,--force", remove_.yes, "Do not ask")->disable_flag_override();
    tree_.on(remove, [this](const Context& context) { return remove_app(context, remove_); });
    declare_deployed(tree_);
  }

  void declare_auth() {
    CLI::App* group = tree_.add_group("auth", "Sign in to legerd", "  leger auth login\n  leger auth status\n");
    CLI::App* login =
        tree_.add(group, "login", "Sign in as the user that this device has in the tailnet",
                  "  leger auth login\n  leger --server https://atlas.example.ts.net auth login\n\n"
                  "Asks tailscaled who this device is: the socket LEGER_TAILSCALED_SOCKET, else\n"
                  "/var/run/tailscale/tailscaled.sock. The token is kept in $XDG_CONFIG_HOME/leger/auth.json.\n"
                  "On legerd's Unix socket, which needs no sign-in, it fetches a token for legerd's TCP door.\n");
    tree_.on(login, [](const Context& context) { return auth_login(context); }, Token::none);
    auth_status_ = tree_.add(group, "status", "Show who is signed in, and until when",
                             "  leger auth status\n  leger auth status --json\n");
    auth_logout_ = tree_.add(group, "logout", "End the session and forget its token",
                             "  leger auth logout\n  leger --server https://atlas.example.ts.net auth logout\n");
  }

  void declare_sign_in_by_page() {
    CLI::App* login =
        tree_.add(&app_, "login", "Sign in through legerd's page in the browser",
                  "  leger login\n  leger login --no-browser\n\n"
                  "The browser is $BROWSER, else xdg-open. Without one the page shows a code for typing in.\n");
    login->add_flag("--no-browser", no_browser_, "Print the address and ask for the code")->disable_flag_override();
    tree_.on(login, [this](const Context& context) { return leger::login(context, browser()); }, Token::none);
    CLI::App* open = tree_.add(&app_, "open", "Open legerd's page in the browser, signed in where the socket is used",
                               "  leger open\n  leger open --no-browser\n");
    open->add_flag("--no-browser", no_browser_, "Print the address")->disable_flag_override();
    tree_.on(open, [this](const Context& context) { return open_page(context, browser()); });
  }

  Browser browser() const { return no_browser_ ? Browser::none : Browser::open; }

  void declare_others() {
    CLI::App* status = tree_.add(&app_, "status", "Show what runs", "  leger status\n  leger status --json\n");
    tree_.on(status, [](const Context& context) { return show_status(context); });

    CLI::App* config = tree_.add_group("config", "Look at legerd's configuration", "  leger config check\n");
    check_config_ = tree_.add(config, "check", "Check legerd's configuration file",
                              "  leger config check\n  leger config check ./legerd.toml\n");
    check_config_->add_option("file", file_, "The file; not needed for the usual one");
  }

  int call(Output& output) {
    if (check_config_->parsed()) return check_config(io_, output, file_);
    for (const LocalCommand& command : tree_.local_commands()) {
      if (command.command->parsed()) return command.action(io_, output);
    }
    const auto target = find_target(server_flags(), io_);
    if (!target && target.error().code == Code::unavailable && auth_status_->parsed()) return show_no_auth(output, io_);
    if (!target) {
      return target.error().code == Code::invalid_request ? output.usage(target.error()) : output.fail(target.error());
    }
    if (auth_status_->parsed()) return show_auth_status(*target, output, io_);
    if (auth_logout_->parsed()) return auth_logout(*target, output, io_);
    for (const ServerCommand& command : tree_.server_commands()) {
      if (command.command->parsed()) return call(command, *target, output);
    }
    return misused(output, CLI::RequiredError("A command"));
  }

  int call(const ServerCommand& command, const Target& target, Output& output) const {
    const auto fine = check_target(target);
    if (!fine) return output.fail(fine.error());
    std::optional<Secret> token;
    if (command.token != Token::none && !target.is_socket()) {
      auto stored = command.token == Token::needed_for_source
                        ? stored_token(io_, target.url, target.shown() + " source requires authentication")
                        : stored_token(io_, target.url);
      if (!stored) return output.fail(stored.error());
      token = std::move(*stored);
    }
    ApiClient api(target, io_.patience, std::move(token));
    return command.action(Context{api, output, io_});
  }

  // An empty value is a mistake of whoever gave it, and not the same as no flag.
  ServerFlags server_flags() const {
    ServerFlags flags;
    if (server_flag_->count() != 0) flags.server = server_text_;
    if (socket_flag_->count() != 0) flags.socket = socket_text_;
    return flags;
  }

  // The command that was named last, `leger` itself where none was.
  CLI::App* deepest() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }

  // `leger secrets set`, as the user knows it.
  std::string path_of(const CLI::App* app) const {
    return app->get_parent() == nullptr ? app->get_name() : path_of(app->get_parent()) + " " + app->get_name();
  }

  std::string help_of(const CLI::App* app) const {
    return app->help(app->get_parent() == nullptr ? "" : path_of(app->get_parent()));
  }

  std::string help_hint(const CLI::App* app) const { return path_of(app) + " --help tells how it is used."; }

  static int print(Output& output, const std::string& text) {
    output.bytes(text);
    return kDone;
  }

  // Something on the command line that nobody asked for: a flag, a command, one argument too many.
  int unexpected(Output& output) {
    const CLI::App* app = deepest();
    const std::string first = app_.remaining(true).front();
    if (const Error* error = tree_.unexpected(app)) return output.usage(*error);
    const bool flag = first.starts_with('-');
    const bool command = !flag && !app->get_subcommands([](const CLI::App*) { return true; }).empty();
    const std::string kind = flag ? "flag" : command ? "command" : "argument";
    return output.usage(
        {Code::invalid_request, path_of(app) + " knows no " + kind + " " + in_quotes(first) + ".", help_hint(app), {}});
  }

  // Something that is missing, or not what it has to be.
  int misused(Output& output, const CLI::ParseError& error) {
    CLI::App* app = deepest();
    const bool command_missing = app->get_require_subcommand_min() > 0 && app->get_subcommands().empty();
    if (command_missing && !output.is_json()) {
      output.prompt(help_of(app));
      return kUsage;
    }
    const std::string why = command_missing ? "a command is missing" : error.what();
    return output.usage({Code::invalid_request, path_of(app) + ": " + why, help_hint(app), {}});
  }

  const Io& io_;
  CommandTree tree_{"Leger puts release bundles of Podman quadlets on a host, with their secrets."};
  CLI::App& app_ = tree_.app();
  std::vector<std::string> command_;  // of `leger run`
  std::string server_text_;
  std::string socket_text_;
  CLI::Option* server_flag_ = nullptr;
  CLI::Option* socket_flag_ = nullptr;
  RemoveOptions remove_;
  std::string file_;
  bool no_browser_ = false;
  CLI::App* check_config_ = nullptr;
  CLI::App* auth_status_ = nullptr;
  CLI::App* auth_logout_ = nullptr;
};

// Asked before the command line is read, since its errors have a style too.
Style style_of(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--json") return Style::json;
  }
  return Style::text;
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Io& io) {
  Output output(io, style_of(arguments));
  try {
    CommandLine command_line(io);
    return output.finish(command_line.run(arguments, output));
  } catch (const std::exception& bug) {
    return output.fail({Code::internal_error, std::string("leger has a bug: ") + bug.what(), {}, {}});
  }
}

}  // namespace leger
