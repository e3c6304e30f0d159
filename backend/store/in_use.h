#pragma once

// Which deployments hold on to what they were made with: their secrets' versions and their release stay. Pure.

namespace leger {

// Of a deployment `d` that runs, may come to run, or may be rolled back to. For joined().
inline constexpr char kIsInUse[] = "(d.live = 1 OR d.kept = 1 OR d.finished_at IS NULL)";

}  // namespace leger
