#include "daemon/routes.h"

#include <array>

#include "daemon/router.h"

namespace leger {
namespace {

constexpr std::array kRoutes{
    Route{Method::get, "/health", Scope::open, Body::none, get_health},
    Route{Method::get, "/api/health", Scope::open, Body::none, get_health},

    Route{Method::get, "/api/secrets", Scope::user, Body::none, list_secrets},
    Route{Method::get, "/api/secrets/list", Scope::user, Body::none, list_secrets},
    Route{Method::get, "/secrets/list", Scope::user, Body::none, list_secrets},
    Route{Method::get, "/api/secrets/:name", Scope::user, Body::none, get_secret},
    Route{Method::get, "/api/secrets/get/:name", Scope::user, Body::none, get_secret},
    Route{Method::get, "/secrets/get/:name", Scope::user, Body::none, get_secret},
    Route{Method::post, "/api/secrets/:name", Scope::user, Body::json, set_secret},
    Route{Method::put, "/api/secrets/:name", Scope::user, Body::json, set_secret},
    Route{Method::post, "/api/secrets/set", Scope::user, Body::json, set_named_secret},
    Route{Method::post, "/secrets/set", Scope::user, Body::json, set_named_secret},
    Route{Method::del, "/api/secrets/:name", Scope::user, Body::none, delete_secret},
    Route{Method::del, "/secrets/:name", Scope::user, Body::none, delete_secret},

    Route{Method::get, "/api/releases", Scope::user, Body::none, list_releases},
    Route{Method::get, "/api/releases/latest", Scope::user, Body::none, get_latest_release},
    Route{Method::get, "/api/releases/:version", Scope::user, Body::none, get_release},
    Route{Method::post, "/api/releases", Scope::user, Body::bundle, upload_release},

    Route{Method::get, "/api/deployments", Scope::op, Body::none, list_deployments},
    Route{Method::post, "/api/deployments", Scope::op, Body::json, start_deployment},
    Route{Method::get, "/api/deployments/:id", Scope::op, Body::none, get_deployment},
    Route{Method::del, "/api/deployments/:name", Scope::op, Body::none, remove_deployment},

    Route{Method::get, "/api/services", Scope::op, Body::none, list_services},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace leger
