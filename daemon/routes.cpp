#include "daemon/routes.h"

#include <array>

#include "daemon/router.h"

namespace leger {
namespace {

constexpr std::array kRoutes{
    Route{Method::get, "/health", Scope::open, Body::none, get_health},
    Route{Method::get, "/api/health", Scope::open, Body::none, get_health},

    Route{Method::post, "/api/auth/cli", Scope::open, Body::json, sign_in_cli},
    Route{Method::post, "/auth/cli", Scope::open, Body::json, sign_in_cli},
    Route{Method::post, "/api/auth/web", Scope::open, Body::json, sign_in_web},
    Route{Method::get, "/api/auth/peer", Scope::open, Body::none, get_peer},
    Route{Method::post, "/api/auth/code", Scope::user, Body::json, issue_code},
    Route{Method::post, "/api/auth/exchange", Scope::open, Body::json, exchange_code},
    Route{Method::get, "/api/auth/me", Scope::user, Body::none, get_me},
    Route{Method::post, "/api/auth/logout", Scope::user, Body::none, log_out},
    Route{Method::get, "/api/auth/sessions", Scope::user, Body::none, list_sessions},
    Route{Method::del, "/api/auth/sessions/:id", Scope::user, Body::none, revoke_session},

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
    Route{Method::get, "/api/secrets/:name/versions", Scope::user, Body::none, list_secret_versions},
    Route{Method::post, "/api/secrets/:name/rollback", Scope::user, Body::json, roll_back_secret},
    Route{Method::post, "/api/secrets/sync", Scope::op, Body::none, sync_secrets},
    Route{Method::get, "/api/podman-secrets/:name", Scope::host, Body::none, look_up_secret},

    Route{Method::get, "/api/releases", Scope::user, Body::none, list_releases},
    Route{Method::get, "/api/releases/latest", Scope::user, Body::none, get_latest_release},
    Route{Method::get, "/api/releases/:version", Scope::user, Body::none, get_release},
    Route{Method::get, "/api/releases/:version/files/*path", Scope::user, Body::none, get_release_file},
    Route{Method::post, "/api/releases", Scope::user, Body::bundle, upload_release},
    Route{Method::get, "/api/releases/:version/download", Scope::user, Body::none, download_release},
    Route{Method::get, "/api/releases/latest/download", Scope::user, Body::none, download_latest_release},
    Route{Method::del, "/api/releases/:version", Scope::user, Body::none, delete_release},

    Route{Method::get, "/api/deployments", Scope::op, Body::none, list_deployments},
    Route{Method::post, "/api/deployments", Scope::op, Body::json, start_deployment},
    Route{Method::post, "/api/deployments/plan", Scope::op, Body::json, plan_deployment},
    Route{Method::get, "/api/deployments/:id", Scope::op, Body::none, get_deployment},
    Route{Method::get, "/api/deployments/:id/events", Scope::op, Body::none, watch_deployment},
    Route{Method::post, "/api/deployments/:name/rollback", Scope::op, Body::none, roll_back_deployment},
    Route{Method::del, "/api/deployments/:name", Scope::op, Body::none, remove_deployment},

    Route{Method::get, "/api/services", Scope::op, Body::none, list_services},

    Route{Method::get, "/api/audit", Scope::user, Body::none, list_audit},
    Route{Method::get, "/api/audit/verify", Scope::op, Body::none, verify_audit},

    Route{Method::post, "/api/admin/keys/data/rotate", Scope::host, Body::none, rotate_data_key},
    Route{Method::post, "/api/admin/keys/kek/rotate", Scope::host, Body::json, rotate_kek},

    Route{Method::get, "/auth/callback", Scope::open, Body::none, get_page},
    Route{Method::get, "/*", Scope::open, Body::none, get_page},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace leger
