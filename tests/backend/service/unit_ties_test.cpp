#include "backend/service/unit_ties.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "backend/service/plan.h"

namespace leger {
namespace {

using Names = std::vector<std::string>;

AppUnit unit(std::string name, std::string source, std::string text) {
  return {.name = std::move(name), .source = std::move(source), .image = {}, .secrets = {}, .text = std::move(text)};
}

// A pod of two containers, a container beside it, and one that is started from an image built here.
Generation app() {
  Generation generation;
  generation.units = {
      unit("app-pod.service", "app.pod", "[Unit]\nWants=in.service\n"),
      unit("built.service", "built.container", "[Unit]\nRequires=other.service own-build.service\n"),
      unit("in.service", "in.container", "[Unit]\nBindsTo=app-pod.service\n"),
      unit("out.service", "out.container", "[Unit]\n"),
      unit("own-build.service", "own.build", "[Service]\nType=oneshot\n"),
      unit("too.service", "too.container", "[Unit]\nBindsTo=app-pod.service\n"),
  };
  find_pods(generation);
  return generation;
}

Generation with_change(const std::string& name) {
  Generation generation = app();
  std::ranges::find(generation.units, name, &AppUnit::name)->text += "# changed\n";
  return generation;
}

Names reasons_of(const Plan& plan, const std::string& name) {
  return std::ranges::find(plan.units, name, &PlannedUnit::name)->reasons;
}

}  // namespace

TEST_CASE("A container that changes takes its pod along, and that its other containers") {
  const Generation staged = with_change("in.service");
  const Plan plan = make_plan(app(), staged, "/q/app");
  CHECK(plan.restart == Names{"app-pod.service", "in.service", "too.service"});
  CHECK(reasons_of(plan, "in.service") == Names{"unit"});
  CHECK(reasons_of(plan, "app-pod.service") == Names{"container in.service"});
  CHECK(reasons_of(plan, "too.service") == Names{"pod app-pod.service"});
  CHECK(without_pod_members(staged, plan.restart) == Names{"app-pod.service"});
}

TEST_CASE("What is started from an image is restarted after what makes the image") {
  const Plan plan = make_plan(app(), with_change("own-build.service"), "/q/app");
  CHECK(plan.restart == Names{"own-build.service", "built.service"});
  CHECK(reasons_of(plan, "built.service") == Names{"made by own-build.service"});
}

TEST_CASE("Units without ties change alone") {
  CHECK(make_plan(app(), with_change("out.service"), "/q/app").restart == Names{"out.service"});
  CHECK(without_pod_members(app(), {"in.service", "out.service"}) == Names{"in.service", "out.service"});
}

TEST_CASE("The journal keeps the pod, and one without it can be read") {
  const auto read = generation_from_json(to_json(app()));
  REQUIRE(read);
  CHECK(without_pod_members(*read, {"app-pod.service", "too.service"}) == Names{"app-pod.service"});
  std::string old = to_json(app());
  for (std::size_t at = old.find("\"pod\""); at != std::string::npos; at = old.find("\"pod\""))
    old.replace(at, 5, "\"old\"");
  CHECK(generation_from_json(old));
}

TEST_CASE("The file of an instance is its template's") {
  CHECK(unit("job@one.service", "job@.container", "").file() == "job@.service");
  CHECK(unit("job@1.service", "job@1.container", "").file() == "job@1.service");
  CHECK(unit("web.service", "web.container", "").file() == "web.service");
}

}  // namespace leger
