#include "daemon/install_request.h"

#include <string>
#include <utility>
#include <vector>

#include "daemon/request_fields.h"

namespace leger {
namespace {

Fail invalid(std::string message) { return Fail({Code::invalid_request, std::move(message), {}, {}}); }

Result<bool> flag(const Json& body, const char* name) {
  if (!body.contains(name)) return false;
  const auto value = bool_field(body, name);
  if (!value) return invalid(std::string("The field \"") + name + "\" must be true or false.");
  return *value;
}

Result<std::vector<std::string>> ids(const Json& body, const char* name) {
  std::vector<std::string> list;
  const auto field = body.find(name);
  if (field == body.end()) return list;
  const std::string message = std::string("The field \"") + name + "\" must be a list of ids of findings.";
  if (!field->is_array()) return invalid(message);
  for (const Json& id : *field) {
    if (!id.is_string()) return invalid(message);
    list.push_back(id.get<std::string>());
  }
  return list;
}

}  // namespace

Result<InstallRequest> read_install_request(const Json& body) {
  InstallRequest request;
  const auto version = optional_number(body, "version");
  if (!version) return Fail(version.error());
  request.version = *version;
  if (body.contains("plan_id")) {
    const auto plan_id = text_field(body, "plan_id");
    if (!plan_id || plan_id->empty()) return invalid("The field \"plan_id\" must be the id of a plan.");
    request.options.plan_id = *plan_id;
  }
  if (!request.version && request.options.plan_id.empty()) return invalid("The field \"version\" is missing.");
  if (request.version && !request.options.plan_id.empty()) {
    return invalid("The fields \"version\" and \"plan_id\" go without each other: a plan has its version.");
  }
  auto accepted = ids(body, "accept_flags");
  if (!accepted) return Fail(accepted.error());
  request.options.accept_flags = std::move(*accepted);
  const auto adopt = flag(body, "adopt");
  if (!adopt) return Fail(adopt.error());
  request.options.adopt = *adopt ? Adopt::yes : Adopt::no;
  const auto retry = flag(body, "retry");
  if (!retry) return Fail(retry.error());
  request.options.retry = *retry ? Retry::yes : Retry::no;
  return request;
}

}  // namespace leger
