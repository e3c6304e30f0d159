#pragma once

// The steps that touch the host: secrets into Podman, the switch of folders, reload, start, the health gate; and each
// of them backwards. Every step may be repeated. Loop thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/generation.h"

namespace leger {

// On Podman secrets that were there before Leger took them over: they stay when the app goes.
inline constexpr char kAdoptedLabel[] = "leger.adopted";

// A deployment as the one who reads secrets, on behalf of whose it is.
Actor deployment_actor(const Deployment& row);

// Makes or replaces the Podman secrets of `versions` with the values of those versions; one that has its version
// already is left alone.
Task<Result<void>> put_podman_secrets(DeployParts& parts, Actor actor, std::map<std::string, std::uint64_t> versions);

// Removes those of `names` that carry this account's label and that no live app but `app` uses.
Task<Result<void>> drop_podman_secrets(DeployParts& parts, std::string user_uuid, std::string app,
                                       std::vector<std::string> names);

// Gives Podman's secrets of `staged` back the versions that they had: those of the generation before, or of another
// live app that uses the same one; what nobody had before is removed.
Task<Result<void>> restore_podman_secrets(DeployParts& parts, const Deployment& row, const Generation& staged,
                                          const std::optional<Generation>& before);

// Podman's names of the networks and volumes that all live apps but `app` use: they are not removed with it.
Result<std::set<std::string>> objects_of_others(Deployments& deployments, const std::string& app);

// `units` and the containers of those of them that are pods, of any live app: what starts with them and is judged with
// them.
Result<std::vector<std::string>> with_pod_members(Deployments& deployments, std::vector<std::string> units);

// Stops units in the order given; one that is not there is no error.
Task<Result<void>> stop_units(DeployParts& parts, std::vector<std::string> units);

// Instances that run of the generation's templates, beside the default ones and those that are files of their own; by
// the name of the template's default instance.
Task<Result<std::map<std::string, std::vector<std::string>>>> running_instances(DeployParts& parts,
                                                                                std::string live_folder,
                                                                                const Generation& generation);

// Takes out of the generation the instances that have ended by themselves.
Task<Result<void>> forget_ended(DeployParts& parts, Generation& staged);

// Adds to `services` those of `all` that are down: systemd stops a unit along with what it stands on.
Task<Result<void>> add_down(DeployParts& parts, std::vector<std::string> all, std::vector<std::string>& services);

// Starts the units anew, all at once. The error names the unit, what became of its job, and how to see why.
Task<Result<void>> restart_units(DeployParts& parts, std::vector<std::string> units);

// Every unit must be loaded from its file in the live folder.
Task<Result<void>> check_loaded(DeployParts& parts, std::string live_folder, std::vector<AppUnit> units);

// The unit that an error of these steps blames; empty where it blames none.
std::string unit_of(const Error& error);

// What runs to its end is not missed once it has ended well.
bool has_ended_well(const UnitState& state);

// Waits until the services have been active, without a restart of their own, for the settling time, and those with a
// health check say healthy.
Task<Result<void>> await_health(DeployParts& parts, std::vector<std::string> services);

std::vector<std::string> names_of(const std::vector<AppUnit>& units);
std::vector<std::string> services_of(const Generation& generation);
std::vector<std::string> secrets_of(const Generation& generation);

}  // namespace leger
