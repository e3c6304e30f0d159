#include "quadlets/secret_driver.h"

#include "backend/base/json.h"
#include "backend/base/text.h"

namespace leger {
namespace {

// A word for `sh -c`, which is what Podman gives the commands to.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char byte : text) {
    if (byte == '\'') {
      word += "'\\''";
    } else {
      word += byte;
    }
  }
  return word + "'";
}

}  // namespace

SecretDriver driver_of(const SecretKeeper& keeper, const std::map<std::string, std::string>& labels) {
  if (keeper.program.empty()) return {.name = "file", .options = {}};
  const std::string leger = shell_word(keeper.program) + " --socket " + shell_word(keeper.socket) + " podman-secret ";
  std::string lookup = leger + "lookup";
  for (const char* label : {"leger.user", "leger.name", "leger.version"}) {
    const auto found = labels.find(label);
    lookup += " " + shell_word(found == labels.end() ? "" : found->second);
  }
  return {.name = "shell",
          .options = {{"lookup", std::move(lookup)},
                      {"store", leger + "store"},
                      {"list", leger + "list"},
                      {"delete", leger + "delete"}}};
}

std::string query_of(const SecretDriver& driver) {
  if (driver.name == "file") return "&replace=true";
  return "&driver=" + driver.name + "&driveropts=" + percent_encode(dump(Json(driver.options)));
}

}  // namespace leger
