#include "cli/release_delete.h"

#include <utility>

#include "cli/release_ref.h"

namespace leger {
namespace {

// legerd lists the apps in the details.
Error with_removal_advice(Error error) {
  if (error.code == Code::conflict && error.action.empty()) {
    error.action = "Deploy another release of the app, or remove it:\n  leger deploy list\n  leger deploy remove <app>";
  }
  return error;
}

}  // namespace

int delete_release(const Context& context, const DeleteReleaseOptions& options) {
  Output& output = context.output;
  const auto ref = parse_release_ref(options.release);
  if (!ref) return output.usage(ref.error());
  if (!ref->version) {
    return output.usage({Code::invalid_request,
                         in_quotes(options.release) + " does not say which version to delete.",
                         "Give VERSION or NAME@VERSION:\n  leger releases list",
                         {}});
  }
  const auto release = find_release(context.api, *ref);
  if (!release) return output.fail(release.error());
  if (!options.force) {
    const auto exit = output.unless_confirmed("Delete release " + release->title() + "?", "--force");
    if (exit) return *exit;
  }
  const auto data = context.api.remove("/api/releases/" + std::to_string(release->version));
  if (!data) return output.fail(with_removal_advice(data.error()));
  output.data(*data);
  output.success("Release " + release->title() + " deleted");
  return kDone;
}

}  // namespace leger
