#include "backend/service/unit_order.h"

#include <doctest/doctest.h>

namespace leger {
namespace {

using Names = std::vector<std::string>;

AppUnit unit(std::string source, std::string lines = {}) {
  const std::string name = source.substr(0, source.find('.')) + ".service";
  return {.name = name, .source = std::move(source), .image = "", .secrets = {}, .text = "[Unit]\n" + lines};
}

TEST_CASE("networks, volumes and pods come first, the others keep their order") {
  CHECK(start_order({unit("b.container"), unit("a.container"), unit("p.pod"), unit("v.volume"), unit("n.network")}) ==
        Names{"n.service", "v.service", "p.service", "b.service", "a.service"});
}

TEST_CASE("a unit comes behind what it names, and before what it says it is before") {
  const std::vector<AppUnit> units{
      unit("app.container", "After=db.service network-online.target\nRequires=cache.service\n"),
      unit("cache.container", "BindsTo=pod.service\n"), unit("db.container"),
      unit("first.container", "Before=db.service\n"), unit("pod.pod", "Wants=cache.service\nBefore=cache.service\n")};
  CHECK(start_order(units) == Names{"pod.service", "cache.service", "first.service", "db.service", "app.service"});
}

TEST_CASE("a circle of units has an order as well") {
  const std::vector<AppUnit> units{unit("a.container", "After=b.service\n"), unit("b.container", "After=a.service\n"),
                                   unit("c.container", "After=c.service\n")};
  CHECK(start_order(units) == Names{"c.service", "a.service", "b.service"});
}

TEST_CASE("what is bound to a unit is taken along with it, and what is bound to that") {
  const std::vector<AppUnit> units{
      unit("a.container"), unit("b.container", "Requires=a.service\n"), unit("c.container", "BindsTo=b.service\n"),
      unit("d.container", "PartOf=a.service\n"), unit("e.container", "Wants=a.service\nAfter=a.service\n")};
  const std::map<std::string, std::string> along{
      {"b.service", "a.service"}, {"c.service", "b.service"}, {"d.service", "a.service"}};
  CHECK(taken_along(units, {"a.service"}) == along);
  CHECK(taken_along(units, {"c.service", "e.service"}).empty());
  CHECK(taken_along(units, {}).empty());
}

}  // namespace
}  // namespace leger
