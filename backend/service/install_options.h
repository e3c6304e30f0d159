#pragma once

// What the one who asks for an install has agreed to. A value.

#include <string>
#include <vector>

namespace leger {

enum class Adopt { no, yes };  // of Podman's secrets that Leger did not make
enum class Retry { no, yes };  // of a release that did not start here

struct InstallOptions {
  std::string plan_id;                    // the plan that was looked at: nothing else is installed; empty: none was
  std::vector<std::string> accept_flags;  // ids of findings
  Adopt adopt = Adopt::no;
  Retry retry = Retry::no;
};

}  // namespace leger
