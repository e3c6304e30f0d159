#pragma once

// The handlers behind the table in routes.cpp, one file a resource: read the request, call the service, render.

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "daemon/http_types.h"
#include "daemon/route_context.h"

namespace leger {

Task<Result<Response>> get_health(RouteContext& context, Request& request);

Task<Result<Response>> sign_in_cli(RouteContext& context, Request& request);
Task<Result<Response>> sign_in_web(RouteContext& context, Request& request);
Task<Result<Response>> get_peer(RouteContext& context, Request& request);
Task<Result<Response>> issue_code(RouteContext& context, Request& request);
Task<Result<Response>> exchange_code(RouteContext& context, Request& request);
Task<Result<Response>> get_me(RouteContext& context, Request& request);
Task<Result<Response>> log_out(RouteContext& context, Request& request);
Task<Result<Response>> list_sessions(RouteContext& context, Request& request);
Task<Result<Response>> revoke_session(RouteContext& context, Request& request);

Task<Result<Response>> get_page(RouteContext& context, Request& request);

Task<Result<Response>> list_secrets(RouteContext& context, Request& request);
Task<Result<Response>> get_secret(RouteContext& context, Request& request);
Task<Result<Response>> set_secret(RouteContext& context, Request& request);
Task<Result<Response>> set_named_secret(RouteContext& context, Request& request);
Task<Result<Response>> delete_secret(RouteContext& context, Request& request);
Task<Result<Response>> list_secret_versions(RouteContext& context, Request& request);
Task<Result<Response>> roll_back_secret(RouteContext& context, Request& request);

Task<Result<Response>> sync_secrets(RouteContext& context, Request& request);
Task<Result<Response>> look_up_secret(RouteContext& context, Request& request);

Task<Result<Response>> list_releases(RouteContext& context, Request& request);
Task<Result<Response>> get_latest_release(RouteContext& context, Request& request);
Task<Result<Response>> get_release(RouteContext& context, Request& request);
Task<Result<Response>> upload_release(RouteContext& context, Request& request);
Task<Result<Response>> delete_release(RouteContext& context, Request& request);
Task<Result<Response>> download_latest_release(RouteContext& context, Request& request);
Task<Result<Response>> download_release(RouteContext& context, Request& request);
Task<Result<Response>> get_release_file(RouteContext& context, Request& request);

Task<Result<Response>> list_deployments(RouteContext& context, Request& request);
Task<Result<Response>> get_deployment(RouteContext& context, Request& request);
Task<Result<Response>> plan_deployment(RouteContext& context, Request& request);
Task<Result<Response>> watch_deployment(RouteContext& context, Request& request);
Task<Result<Response>> start_deployment(RouteContext& context, Request& request);
Task<Result<Response>> roll_back_deployment(RouteContext& context, Request& request);
Task<Result<Response>> remove_deployment(RouteContext& context, Request& request);

Task<Result<Response>> list_services(RouteContext& context, Request& request);

Task<Result<Response>> rotate_data_key(RouteContext& context, Request& request);
Task<Result<Response>> rotate_kek(RouteContext& context, Request& request);

Task<Result<Response>> list_audit(RouteContext& context, Request& request);
Task<Result<Response>> verify_audit(RouteContext& context, Request& request);

}  // namespace leger
