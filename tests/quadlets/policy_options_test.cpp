#include "quadlets/policy_options.h"

#include <doctest/doctest.h>

#include "quadlets/policy_mounts.h"
#include "quadlets/policy_option_table.h"

namespace leger {
namespace {

using Words = std::vector<std::string>;

// `NAME=VALUE` of each option, with the table's name where there is one, then the other words behind `|`.
Words read(PodmanCommands command, const Words& words, Order order = Order::mixed) {
  const PodmanLine line = read_podman_line(command, words, order);
  Words list;
  for (const GivenOption& given : line.options) {
    list.push_back((given.option == nullptr ? given.name + "?" : std::string(given.option->name)) + "=" + given.value);
  }
  list.emplace_back("|");
  list.insert(list.end(), line.words.begin(), line.words.end());
  return list;
}

}  // namespace

TEST_CASE("Options are read as podman reads them") {
  CHECK(read(kRun, {"--volume", "/:/x", "--volume=/:/x", "-v", "/:/x", "-v/:/x", "-v=/:/x"}) ==
        Words{"volume=/:/x", "volume=/:/x", "volume=/:/x", "volume=/:/x", "volume=/:/x", "|"});
  CHECK(read(kRun, {"-itv", "/:/x", "-dp80:80"}) ==
        Words{"interactive=", "tty=", "volume=/:/x", "detach=", "publish=80:80", "|"});
  CHECK(read(kRun, {"--privileged", "x"}) == Words{"privileged=", "|", "x"});
  CHECK(read(kRun, {"--privileged=false", "--net", "host"}) == Words{"privileged=false", "network=host", "|"});
  // What looks like an option is a value where one is due.
  CHECK(read(kRun, {"--hostname", "--privileged"}) == Words{"hostname=--privileged", "|"});
}

TEST_CASE("Behind the image, or behind --, there are no options") {
  CHECK(read(kRun, {"image", "--privileged"}, Order::options_first) == Words{"|", "image", "--privileged"});
  CHECK(read(kRun, {"--", "--privileged"}) == Words{"|", "--privileged"});
  CHECK(read(kVolumeCreate, {"name", "--opt", "o=x"}) == Words{"opt=o=x", "|", "name"});
}

TEST_CASE("An unknown option hides none that stands behind it") {
  CHECK(read(kRun, {"--future", "--privileged"}, Order::options_first) == Words{"--future?=", "privileged=", "|"});
  CHECK(read(kRun, {"--future", "x", "--privileged"}, Order::options_first) ==
        Words{"--future?=x", "privileged=", "|"});
  CHECK(read(kVolumeCreate, {"--privileged"}) == Words{"--privileged?=", "|"});
}

TEST_CASE("No option of one command stands twice in the table") {
  for (const PodmanOption& one : podman_options()) {
    for (const PodmanOption& other : podman_options()) {
      if (&one == &other || (one.commands & other.commands) == 0) continue;
      CAPTURE(one.name);
      CHECK(one.name != other.name);
      CHECK((one.letter == 0 || one.letter != other.letter));
    }
  }
}

TEST_CASE("Quoted fields of a mount are one field") {
  CHECK(csv_fields("type=bind,\"src=/a,b\",ro") == Words{"type=bind", "src=/a,b", "ro"});
  CHECK(csv_fields("\"a\"\"b\"") == Words{"a\"b"});
  CHECK(csv_fields("") == Words{""});
}

}  // namespace leger
