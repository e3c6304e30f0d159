#pragma once

// The images of a deployment: brought before anything is switched, recorded with it, kept while it can be rolled back
// to, and put back under their names. A name is only a pointer that a build or a pull moves; what an app was deployed
// with is the image's id. Loop thread.

#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/findings.h"
#include "backend/service/generation.h"
#include "backend/service/plan.h"

namespace leger {

// Denies names without a registry, unless the image is on this host: Podman would ask a person which one is meant.
void find_short_images(const Generation& staged, const HostState& host, std::vector<Finding>& findings);

// Whether bring_images has to ask a registry for one: then it may take its time.
bool wants_images(const Plan& plan, const Generation& staged);

// Pulls what `generation` names and Podman has not got, and writes into it which images and digests they are. Each of
// them is named `localhost/leger-keep:ID`, so that no `podman image prune` takes it. What is said meanwhile goes to
// those who watch.
Task<Result<void>> bring_images(DeployParts& parts, Generation& generation);

// The same for a generation that was deployed already: its images are those of that time, by their ids, pulled by their
// digests where they went away. The error says which one is gone.
Task<Result<void>> bring_recorded_images(DeployParts& parts, const Generation& generation);

// What becomes of a name that another live app has for the image which it names now.
enum class Shared { take, leave };

// Gives the images that `generation` of `app` was deployed with their names in its units back, from others that got
// them since.
Task<Result<void>> restore_images(DeployParts& parts, const Generation& generation, std::string app, Shared shared);

// Takes the names `localhost/leger-keep:ID` away where no deployment runs with the image, may come to, or can be rolled
// back to.
Task<Result<void>> release_images(DeployParts& parts);

// The row's plan with `image_digests`, a list of {image,id,digest}: what the deployment runs with.
std::string plan_with_images(const std::string& plan, const Generation& generation);

}  // namespace leger
