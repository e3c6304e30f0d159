#include "cli/admin.h"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "cli/shell_word.h"

namespace leger {
namespace {

// legerd takes these requests on its Unix socket alone.
Error with_socket_advice(Error error, const Target& target) {
  const bool refused = error.code == Code::insufficient_permissions || error.code == Code::not_found;
  if (refused && !target.is_socket() && error.action.empty()) {
    error.action = "Keys are rotated on legerd's own host: run this there, without --server.";
  }
  return error;
}

Result<std::string> absolute_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  if (real) return std::string(real.get());
  if (errno != ENOENT) return Fail(system_error("Looking for " + in_quotes(path), errno));
  return Fail({Code::not_found,
               "There is no file " + in_quotes(path) + ".",
               "Make a key of 32 random bytes that nobody else can read:\n  (umask 277; head -c 32 /dev/urandom > " +
                   shell_word(path) + ")",
               {}});
}

// Where legerd looks for its key unless its configuration says otherwise.
std::string default_place(const Io& io) {
  const auto folder = io.variable("XDG_CONFIG_HOME");
  return (folder ? *folder : io.variable("HOME").value_or("~") + "/.config") + "/leger/leger.kek";
}

}  // namespace

int rotate_key(const Context& context) {
  Output& output = context.output;
  const auto data = context.api.post("/api/admin/keys/data/rotate", Json::object());
  if (!data) return output.fail(with_socket_advice(data.error(), context.api.target()));
  if (!integer_field(*data, "key_id")) return output.fail(context.api.garbled("it names no key"));
  output.data(*data);
  output.success("Data key " + shown(*data, "key_id") +
                 " is in use. What older keys encrypted is encrypted anew in the background.");
  return kDone;
}

int rotate_kek(const Context& context, const std::string& new_key) {
  Output& output = context.output;
  const auto path = absolute_path(new_key);
  if (!path) return output.fail(path.error());
  const auto data = context.api.post("/api/admin/keys/kek/rotate", Json{{"new_key_file", *path}});
  if (!data) return output.fail(with_socket_advice(data.error(), context.api.target()));
  output.data(*data);
  output.success("The data keys are wrapped with the key of " + *path);
  output.line(
      "\nBefore the old key is thrown away, the new one has to take its place, where legerd's key_file or its\n"
      "credential leger.kek says. Where neither is set:\n  install -m 400 " +
      shell_word(*path) + " " + shell_word(default_place(context.io)) +
      "\n\nWithout it legerd starts no more. Keep a copy of the new key away from this host.");
  return kDone;
}

}  // namespace leger
