#include "backend/service/service_status.h"

#include <doctest/doctest.h>

#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

namespace leger {

using test::Daemon;

TEST_CASE("The status of every service of every app comes from systemd and Podman, by name") {
  const test::TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  ServiceStatusReader reader(daemon.deployments(), daemon.machine.units, daemon.machine.podman);
  const auto none = test::run(daemon.loop, reader.read());
  REQUIRE(none);
  CHECK(none->empty());
  CHECK(daemon.machine.podman.calls.empty());

  daemon.set_secret("token", "alpha");
  REQUIRE(daemon.install(daemon.upload("shop", test::shop_v1(), {"token"})));
  daemon.machine.podman.running = {{.id = "1",
                                    .name = "web",
                                    .image = "localhost/web:1",
                                    .state = "running",
                                    .unit = "web.service",
                                    .health = "healthy",
                                    .ports = {"127.0.0.1:8080->80/tcp"}}};
  daemon.machine.units.at("web.service").active_since = 1'790'000'000;
  daemon.machine.units.at("web.service").restarts = 2;
  daemon.machine.units.at("worker.service").active_state = "failed";
  const auto services = test::run(daemon.loop, reader.read());
  REQUIRE(services);
  REQUIRE(services->size() == 2);
  const ServiceStatus& web = services->at(0);
  CHECK(web.name == "web");
  CHECK(web.app == "shop");
  CHECK(web.unit == "web.service");
  CHECK(web.state == "running");
  CHECK(web.health == "healthy");
  CHECK(web.image == "localhost/web:1");
  CHECK(web.since == rfc3339(1'790'000'000));
  CHECK(web.restarts == 2);
  CHECK(web.ports == std::vector<std::string>{"127.0.0.1:8080->80/tcp"});
  CHECK(web.secrets == std::vector<std::string>{"token"});
  CHECK(services->at(1).state == "failed");
  CHECK_FALSE(services->at(1).health);

  for (const auto& [active, shown] : std::map<std::string, std::string>{{"activating", "starting"},
                                                                        {"deactivating", "stopping"},
                                                                        {"reloading", "running"},
                                                                        {"inactive", "stopped"}}) {
    daemon.machine.units.at("web.service").active_state = active;
    CHECK(test::run(daemon.loop, reader.read())->at(0).state == shown);
  }
  daemon.machine.units.remove("web.service");
  CHECK(test::run(daemon.loop, reader.read())->at(0).state == "stopped");
  daemon.machine.podman.stop();
  CHECK_FALSE(test::run(daemon.loop, reader.read()));
}

}  // namespace leger
