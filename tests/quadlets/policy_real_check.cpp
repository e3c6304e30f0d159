// The policy on units that Podman's own generator makes: run inside the Debian 13 host with the folder
// tests/quadlets/policy as its argument, and perhaps the generator's path. Prints a line a file; exit 1 where one
// fails.

#include <cctype>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <sstream>

#include "backend/base/text.h"
#include "quadlets/generator.h"
#include "quadlets/policy.h"
#include "tests/quadlets/archives.h"
#include "tests/quadlets/policy_cases.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;
using Verdicts = std::set<std::string>;

constexpr std::size_t kMutantsOfACase = 3;
constexpr unsigned kSeed = 20261126;

// FILE LEVEL RULE, parted by tabs; `-` where nothing may be found.
std::map<std::string, Verdicts> read_table(const std::string& path) {
  std::map<std::string, Verdicts> table;
  std::istringstream lines(read_file(path));
  std::string file;
  std::string level;
  std::string rule;
  while (lines >> file >> level >> rule) {
    Verdicts& verdicts = table[file];
    if (level != "-") verdicts.insert(level + " " + rule);
  }
  return table;
}

class Bench {
 public:
  Bench(std::string folder, std::string generator)
      : folder_(std::move(folder)), loop_(clock_), generator_(loop_, std::move(generator)) {}

  // What the policy says of `text` as the quadlet `name`, beside the files that some of them need.
  Verdicts judge(const std::string& name, const std::string& text) {
    const TemporaryFolder root;
    const std::string app = root / "app";
    fs::copy(folder_ + "/with", app);
    write_file(app + "/" + name, text);
    const auto result = run(loop_, generator_.dry_run({root.path()}));
    if (!result) return {result.error().message};
    if (result->units.empty()) return {"no unit"};
    PolicyPlaces places = places_of(app);
    for (const auto& entry : fs::directory_iterator(app)) {
      places.files[entry.path().filename().string()] = read_file(entry.path().string());
    }
    const auto findings = judge_units(result->units, places);
    for (const PolicyFinding& finding : findings) {
      if (std::ranges::find(policy_rules(), finding.rule) == policy_rules().end()) return {"unknown " + finding.rule};
    }
    return verdicts(findings);
  }

 private:
  std::string folder_;
  SystemClock clock_;
  Loop loop_;
  Generator generator_;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

bool is_entry(const std::string& line) {
  return !line.empty() && std::isalpha(static_cast<unsigned char>(line.front())) != 0 && line.contains('=');
}

// Another spelling of `text` that means the same to the generator; every one changes at least one line.
std::string mutated(const std::string& text, std::mt19937& random) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) lines.emplace_back(line);
  if (lines.back().empty()) lines.pop_back();
  const auto once_in = [&random](unsigned count) { return random() % count == 0; };
  const bool splits = text.contains('\\');  // continued already: only lines that stand alone are touched
  std::vector<std::string> spelled;
  for (std::string& line : lines) {
    const bool is_plain = is_entry(line) && !splits;
    const std::size_t equals = line.find('=');
    const std::size_t blank = line.rfind(' ');
    if (is_plain && once_in(2)) line.insert(equals + 1, once_in(2) ? "  " : " \t");
    if (is_plain && once_in(2)) line.insert(equals, "\t");
    if (is_plain && once_in(2)) line.insert(0, "  ");
    const bool can_break = is_plain && blank != std::string::npos && blank > equals && !line.contains('"');
    if (can_break && once_in(2) && line.contains("PodmanArgs")) {
      spelled.push_back(line.substr(0, line.rfind(' ') + 1) + "\\");
      if (once_in(2)) spelled.emplace_back("# nothing");
      line = "\t" + line.substr(line.rfind(' ') + 1);
    }
    spelled.push_back(line);
    if (!splits && once_in(3)) spelled.emplace_back(once_in(2) ? "; a comment" : "");
  }
  if (!splits && !text.contains('\r') && once_in(4)) {
    for (std::string& line : spelled) line += line.ends_with('\\') ? "" : "\r";
  }
  spelled.emplace_back("# the end");
  return joined(spelled);
}

std::string shown(const Verdicts& verdicts) {
  std::string text;
  for (const std::string& one : verdicts) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "nothing" : text;
}

bool report(const std::string& what, const Verdicts& expected, const Verdicts& found, const std::string& text) {
  if (expected == found) return true;
  std::cout << "FAIL " << what << ": expected " << shown(expected) << ", found " << shown(found) << "\n" << text;
  return false;
}

int check_all(const std::string& folder, const std::string& generator) {
  Bench bench(folder, generator);
  const auto table = read_table(folder + "/expected.tsv");
  std::mt19937 random(kSeed);
  int failures = 0;
  for (const auto& [file, expected] : table) {
    const std::string text = read_file(folder + "/" + file);
    bool is_good = report(file, expected, bench.judge(file, text), text);
    for (std::size_t i = 0; i < kMutantsOfACase; ++i) {
      const std::string other = mutated(text, random);
      is_good = report("a mutant of " + file, expected, bench.judge(file, other), other) && is_good;
    }
    if (is_good) std::cout << "ok " << file << "\n";
    failures += is_good ? 0 : 1;
  }
  // A key in another case is no key: the generator refuses the unit, so that there is nothing to judge.
  const std::string wrong_case = "[Container]\nImage=localhost/x:1\nvolume=/:/x\n";
  failures +=
      report("a key in another case", {"no unit"}, bench.judge("case.container", wrong_case), wrong_case) ? 0 : 1;
  std::cout << table.size() << " files, " << failures << " failures\n";
  return failures == 0 && !table.empty() ? 0 : 1;
}

}  // namespace
}  // namespace leger::test

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: policy_real_check FOLDER_OF_UNITS [GENERATOR]\n";
    return 2;
  }
  return leger::test::check_all(arguments[1], count > 2 ? arguments[2] : "");
}
