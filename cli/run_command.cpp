#include "cli/run_command.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "cli/secret_calls.h"

namespace leger {
namespace {

constexpr int kCannotStart = 126;
constexpr int kNotFound = 127;
constexpr std::size_t kPagesOfOneString = 32;  // MAX_ARG_STRLEN of the kernel: no single variable is longer

struct Wish {
  std::string name;      // the secret's
  std::string variable;  // that it becomes
};

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Fail misused(std::string message, std::string action) {
  return Fail({Code::invalid_request, std::move(message), std::move(action), {}});
}

Result<std::vector<Wish>> read_wishes(const RunOptions& options) {
  if (options.secrets.empty() || options.command.empty()) {
    return misused("leger run takes at least one --secret, and a command after --.",
                   "  leger run --secret NAME -- COMMAND");
  }
  std::vector<Wish> wishes;
  std::set<std::string> variables;
  for (const std::string& text : options.secrets) {
    const std::size_t equals = text.find('=');
    Wish wish{text.substr(0, equals), equals == std::string::npos ? text : text.substr(equals + 1)};
    if (const auto error = unusable(wish.name)) return Fail(*error);
    if (!is_variable_name(wish.variable)) {
      return misused(
          in_quotes(wish.variable) + " is no name for a variable.",
          "Give one of letters, digits and underscores:\n  --secret " + escape_controls(wish.name) + "=VARIABLE");
    }
    if (!variables.insert(wish.variable).second) {
      return misused("Two secrets are to be the variable " + in_quotes(wish.variable) + ".",
                     "Give each a variable of its own.");
    }
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

// `VARIABLE=value`.
Result<Secret> fetch_variable(ApiClient& api, const Wish& wish) {
  auto data = fetch_secret(api, wish.name);
  if (!data) return Fail(data.error());
  const auto value = take_value(api, *data);
  if (!value) return Fail(value.error());
  const std::string by_file = "Hand it over in a file:\n  leger secrets get " + escape_controls(wish.name) + " > FILE";
  if (value->reveal().contains('\0')) {
    return misused("Secret " + in_quotes(wish.name) + " has a zero byte, which no variable can hold.", by_file);
  }
  Secret entry;
  std::string& text = entry.buffer();
  text.reserve(wish.variable.size() + 1 + value->reveal().size());  // so that it never moves and leaves a copy behind
  text.append(wish.variable).append("=").append(value->reveal());
  if (text.size() >= kPagesOfOneString * static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    return misused("Secret " + in_quotes(wish.name) + " is longer than a variable can be.", by_file);
  }
  return entry;
}

// What leger has of itself that the program must not inherit, undone while the object lives: main ignores SIGPIPE and
// forbids core files.
class ForeignManners {
 public:
  explicit ForeignManners(const Io& io) : ignored_(std::signal(SIGPIPE, SIG_DFL)) {
    if (!io.core_file_limit || getrlimit(RLIMIT_CORE, &limit_) != 0) return;
    rlimit usual = limit_;
    usual.rlim_cur = *io.core_file_limit;
    limited_ = setrlimit(RLIMIT_CORE, &usual) == 0;
  }
  ForeignManners(const ForeignManners&) = delete;
  ForeignManners& operator=(const ForeignManners&) = delete;
  ~ForeignManners() {
    std::signal(SIGPIPE, ignored_);
    if (limited_) setrlimit(RLIMIT_CORE, &limit_);
  }

 private:
  void (*ignored_)(int);
  rlimit limit_{};
  bool limited_ = false;
};

// The environment of leger with the secrets in place of variables of the same names.
std::vector<std::string> kept_environment(const Io& io, const std::vector<Wish>& wishes) {
  std::vector<std::string> entries;
  for (const auto& [name, value] : io.environment) {
    const bool replaced = std::ranges::any_of(wishes, [&](const Wish& wish) { return wish.variable == name; });
    if (!replaced) entries.push_back(std::string(name).append("=").append(value));
  }
  return entries;
}

// With a null pointer at the end.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Comes back only with the errno that kept the program from starting.
int become(std::vector<std::string> command, std::vector<std::string> kept, std::vector<Secret>& secrets,
           const Io& io) {
  const auto pointers = pointers_to(command);
  auto environment = pointers_to(kept);
  environment.pop_back();
  environment.reserve(environment.size() + secrets.size() + 1);
  for (Secret& entry : secrets) environment.push_back(entry.buffer().data());
  environment.push_back(nullptr);
  const ForeignManners manners(io);
  execvpe(pointers.front(), pointers.data(), environment.data());
  return errno;
}

int refuse(Output& output, const std::string& program, int errno_value) {
  if (errno_value == ENOENT || errno_value == ENOTDIR) {
    output.fail({Code::not_found,
                 "The program " + in_quotes(program) + " was not found, or the interpreter that it names.",
                 "Check its name, and that a folder of PATH has it.",
                 {}});
    return kNotFound;
  }
  Error error = system_error("Starting " + in_quotes(program), errno_value);
  if (errno_value == EACCES) error.action = "Check that it may be executed:\n  ls -l " + escape_controls(program);
  if (errno_value == E2BIG) error.action = "The arguments and the environment are too long together: give fewer.";
  output.fail(error);
  return kCannotStart;
}

}  // namespace

int run_command(const Context& context, const RunOptions& options) {
  Output& output = context.output;
  const auto wishes = read_wishes(options);
  if (!wishes) return output.usage(wishes.error());
  std::vector<Secret> secrets;
  for (const Wish& wish : *wishes) {
    auto entry = fetch_variable(context.api, wish);
    if (!entry) return output.fail(entry.error());
    secrets.push_back(*std::move(entry));
  }
  context.api.close();
  const int problem = become(options.command, kept_environment(context.io, *wishes), secrets, context.io);
  return refuse(output, options.command.front(), problem);
}

}  // namespace leger
