#include "backend/service/findings.h"

#include <algorithm>
#include <utility>

namespace leger {
namespace {

void add(std::vector<Finding>& findings, const char* level, std::string rule, std::string file, std::string message) {
  std::string id = std::move(rule) + ":" + file;
  findings.push_back({.id = std::move(id), .level = level, .file = std::move(file), .message = std::move(message)});
}

// `what` of the first, and how many more there are.
std::string first_of(const char* begin, const std::vector<Finding>& findings) {
  std::string message = begin + findings.front().message;
  if (findings.size() > 1) message += " (and " + std::to_string(findings.size() - 1) + " more)";
  return message;
}

}  // namespace

void deny(std::vector<Finding>& findings, std::string rule, std::string file, std::string message) {
  add(findings, "denied", std::move(rule), std::move(file), std::move(message));
}

void flag(std::vector<Finding>& findings, std::string rule, std::string file, std::string message) {
  add(findings, "flagged", std::move(rule), std::move(file), std::move(message));
}

void note(std::vector<Finding>& findings, std::string rule, std::string file, std::string message) {
  add(findings, "note", std::move(rule), std::move(file), std::move(message));
}

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back(
        {{"id", finding.id}, {"level", finding.level}, {"file", finding.file}, {"message", finding.message}});
  }
  return list;
}

Error refused_release(const std::vector<Finding>& denied) {
  return {Code::preflight_failed, first_of("This release cannot be installed: ", denied),
          "Mend what is listed, then deploy again.", dump(findings_json(denied))};
}

Error plan_out_of_date() {
  return {Code::conflict,
          "The plan is out of date: the release or this host is not as it was when it was made.",
          "Make a new one, and look at it: leger deploy plan",
          {}};
}

Result<void> check_accepted(const std::vector<Finding>& flags, const std::vector<std::string>& accepted) {
  std::vector<Finding> open;
  for (const Finding& flag : flags) {
    if (!std::ranges::contains(accepted, flag.id)) open.push_back(flag);
  }
  if (open.empty()) return {};
  return Fail(
      {Code::confirmation_required, first_of("This release asks for something that has to be confirmed: ", open),
       "Look at the plan, and accept what is listed: --yes, or accept_flags with the ids.", dump(findings_json(open))});
}

}  // namespace leger
