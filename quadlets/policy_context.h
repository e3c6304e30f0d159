#pragma once

// What the parts of the policy share while they judge one app: whose names are whose, and where findings go. Lives for
// one judge_units() call.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "quadlets/policy.h"
#include "quadlets/policy_paths.h"

namespace leger {

// Names of what a set of units makes.
struct PolicyNames {
  std::set<std::string> units;
  std::set<std::string> containers;
  std::set<std::string> pods;
  std::set<std::string> networks;
  std::set<std::string> volumes;
  std::set<std::string> images;  // pulled by an .image unit or built by a .build unit
};

class PolicyContext {
 public:
  static constexpr std::size_t kMostAlike = 20;

  PolicyContext(const PolicyPlaces& places, PolicyNames own, PolicyNames others)
      : places_(places), own_(std::move(own)), others_(std::move(others)) {}

  const PolicyPlaces& places() const { return places_; }
  const PolicyNames& own() const { return own_; }
  const PolicyNames& others() const { return others_; }

  // The file that findings are about from now on.
  void begin(std::string file) { file_ = std::move(file); }
  const std::string& file() const { return file_; }
  void deny(std::string_view rule, std::string message) { add(PolicyLevel::denied, rule, std::move(message)); }
  void flag(std::string_view rule, std::string message) { add(PolicyLevel::flagged, rule, std::move(message)); }
  // At most kMostAlike of one rule, file and level; then one more says that there are others.
  void add(PolicyLevel level, std::string_view rule, std::string message);
  // Judges a path that `what` names.
  void path(const std::string& what, std::string_view path, Access access);

  // Whether `path` is where the generator itself puts such files: directly in %t, named after a unit of the app.
  bool is_runtime_file(std::string_view path) const;

  std::vector<PolicyFinding> take() { return std::move(findings_); }

 private:
  // What one rule has to say of one file.
  struct Said {
    std::set<std::string> messages;
    std::map<PolicyLevel, std::size_t> counts;
    std::size_t ids = 0;
  };

  const PolicyPlaces& places_;
  PolicyNames own_;
  PolicyNames others_;
  std::string file_;
  std::vector<PolicyFinding> findings_;
  std::map<std::string, Said> said_;  // by RULE:FILE
};

}  // namespace leger
