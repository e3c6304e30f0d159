#include "backend/service/shadow_folder.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace leger {
namespace {

namespace fs = std::filesystem;

bool is_dropin(const fs::path& path) { return path.extension() == ".conf" && path.parent_path().extension() == ".d"; }

Fail cannot(const std::string& what, const std::error_code& why) {
  return Fail(system_error("The drop-ins of the app cannot be compared: " + what, why.value()));
}

Result<void> hide(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path.parent_path(), problem);
  if (problem) return cannot(path.parent_path().string(), problem);
  if (std::ofstream(path)) return {};
  return cannot(path.string(), std::make_error_code(std::errc::io_error));
}

}  // namespace

Result<void> make_shadow(const std::string& staging, const std::string& live_folder, const std::string& shadow) {
  std::error_code problem;
  fs::recursive_directory_iterator entries(live_folder, problem);
  if (problem) return cannot(live_folder, problem);
  while (entries != fs::recursive_directory_iterator()) {
    const fs::path& path = entries->path();
    const fs::path relative = path.lexically_relative(live_folder);
    if (is_dropin(path) && !fs::exists(staging / relative, problem)) {
      if (auto hidden = hide(shadow / relative); !hidden) return hidden;
    }
    entries.increment(problem);
    if (problem) return cannot(live_folder, problem);
  }
  return {};
}

}  // namespace leger
