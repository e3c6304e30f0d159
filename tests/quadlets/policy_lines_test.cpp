#include "quadlets/policy_lines.h"

#include <doctest/doctest.h>

namespace leger {
namespace {

using Words = std::vector<std::string>;

// The words of a line with one command.
Words words(std::string_view value) {
  const auto commands = read_commands(value);
  REQUIRE(commands.has_value());
  REQUIRE(commands->size() == 1);
  return commands->front().words;
}

// `SECTION KEY VALUE` of each entry.
Words entries(std::string_view text) {
  Words list;
  for (const UnitEntry& entry : read_service_text(text)) {
    list.push_back(entry.section + " " + entry.key + " " + entry.value);
  }
  return list;
}

}  // namespace

TEST_CASE("A unit's lines are those that systemd sees") {
  CHECK(entries("[Service]\nA=1\n# A=2\n; A=3\nB = 2 \n") == Words{"Service A 1", "Service B 2"});
  CHECK(entries("[Service]\nA=1\rB=2") == Words{"Service A 1", "Service B 2"});
  CHECK(entries("[X]\nA=1\r[Service]\r\nB=2") == Words{"X A 1", "Service B 2"});
  CHECK(entries(std::string("[Service]\nA=1\0B=2", 17)) == Words{"Service A 1", "Service B 2"});
  CHECK(entries("[Service]\nA=1 \\\n# a comment\n  2\n") == Words{"Service A 1  2"});
  // Two backslashes are one that is escaped, and end the line.
  CHECK(entries("[Service]\nA=1\\\\\nB=2\n") == Words{"Service A 1\\\\", "Service B 2"});
  CHECK(entries("[Service]\nA=1\\\n\nB=2\n") == Words{"Service A 1", "Service B 2"});
  CHECK(entries("[Service]\nA=1\\") == Words{"Service A 1"});
  CHECK(entries("[Service]\nnothing\n=1\n") == Words{"Service  1"});
}

TEST_CASE("A command line's words are those that systemd makes of it") {
  CHECK(words("/bin/a b  c\td") == Words{"/bin/a", "b", "c", "d"});
  CHECK(words("/bin/a \"b c\" 'd e' f\"g h\"i") == Words{"/bin/a", "b c", "d e", "fg hi"});
  CHECK(words(R"(/bin/a \x41\102C \u00e9 b\sc \q "\"")") == Words{"/bin/a", "ABC", "é", "b c", "\\q", "\""});
  CHECK(words("/bin/a \"\" b") == Words{"/bin/a", "", "b"});
  CHECK(words("/bin/a \\; \";\"") == Words{"/bin/a", ";", ";"});
  CHECK_FALSE(read_commands("/bin/a \"b").has_value());
}

TEST_CASE("A lone semicolon parts commands, and prefixes stand before the program") {
  const auto commands = read_commands("-/bin/a b ; @+/bin/c d");
  REQUIRE(commands.has_value());
  REQUIRE(commands->size() == 2);
  CHECK(commands->at(0).prefix == "-");
  CHECK(commands->at(0).words == Words{"/bin/a", "b"});
  CHECK(commands->at(1).prefix == "@+");
  CHECK(commands->at(1).words == Words{"/bin/c", "d"});
  CHECK(read_commands("  ")->empty());
}

TEST_CASE("Specifiers and variables that are known are put in, others are marked") {
  const std::map<char, std::string> known = {{'h', "/home/alice"}, {'i', ""}};
  CHECK(expand_specifiers("%h/x%i%%h%", known) == "/home/alice/x%h%");
  CHECK(expand_specifiers("%m", known) == std::string(1, kUnknownSpecifier));
  CHECK(expand_specifiers("50%, %1", known) == "50%, %1");
  const std::map<std::string, std::string, std::less<>> variables = {{"HOME", "/home/alice"}};
  CHECK(expand_variables("${HOME}/x", variables) == "/home/alice/x");
  CHECK(expand_variables("$HOME", variables) == "/home/alice");
  CHECK(expand_variables("a$HOME", variables) == "a$HOME");
  CHECK(expand_variables("$$HOME ${", variables) == "$HOME ${");
  CHECK(has_unknown(expand_variables("$OTHER", variables)));
  CHECK(has_unknown(expand_variables("a${OTHER}", variables)));
  CHECK_FALSE(has_unknown(expand_variables("$$OTHER", variables)));
  CHECK(unescape_unit_name("home-al\\x2dice") == "home/al-ice");
}

}  // namespace leger
