#include "cli/command_tree.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <utility>

#include "backend/base/text.h"

namespace leger {

CLI::App* CommandTree::add(CLI::App* parent, const std::string& name, const std::string& description,
                           const std::string& examples) {
  CLI::App* command = parent->add_subcommand(name, description);
  command->fallthrough();  // so that global flags may follow it
  command->footer("Global flags: --server URL, --socket PATH, --json\n\nExamples:\n" + examples);
  return command;
}

CLI::App* CommandTree::add_group(const std::string& name, const std::string& description, const std::string& examples) {
  CLI::App* group = add(&app_, name, description, examples);
  group->require_subcommand(1);
  return group;
}

void CommandTree::on(CLI::App* command, std::function<int(const Context&)> action, Token token) {
  server_commands_.push_back({command, std::move(action), token});
}

void CommandTree::on_local(CLI::App* command, std::function<int(const Io&, Output&)> action) {
  local_commands_.push_back({command, std::move(action)});
}

const Error* CommandTree::unexpected(const CLI::App* command) const {
  const auto found = unexpected_.find(command);
  return found == unexpected_.end() ? nullptr : &found->second;
}

std::string positive(const std::string& text) {
  return parse_number(text).value_or(0) == 0 ? "a number from 1 is needed" : "";
}

std::string whole_number(const std::string& text) { return parse_number(text) ? "" : "a whole number is needed"; }

}  // namespace leger
