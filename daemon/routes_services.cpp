#include <utility>

#include "backend/base/json.h"
#include "daemon/envelope.h"
#include "daemon/routes.h"

namespace leger {

Task<Result<Response>> list_services(RouteContext& context, Request&) {
  const auto services = co_await context.services.read();
  if (!services) co_return Fail(services.error());
  Json list = Json::array();
  for (const ServiceStatus& service : *services) {
    list.push_back({{"name", service.name},
                    {"app", service.app},
                    {"unit", service.unit},
                    {"state", service.state},
                    {"health", service.health ? Json(*service.health) : Json()},
                    {"image", service.image},
                    {"since", service.since ? Json(*service.since) : Json()},
                    {"restarts", service.restarts},
                    {"ports", service.ports},
                    {"secrets", service.secrets}});
  }
  const std::size_t total = list.size();
  co_return success({{"services", std::move(list)}, {"total_count", total}});
}

}  // namespace leger
