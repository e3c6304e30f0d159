#include "backend/service/generation.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "quadlets/installer.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger {
namespace {

using test::TemporaryFolder;
using test::write_file;

}  // namespace

TEST_CASE("A generation is the units made from the folder's files, with the live folder in their texts") {
  const TemporaryFolder folder;
  const std::string staged = folder / "staged";
  std::filesystem::create_directories(staged + "/conf.d");
  write_file(staged + "/web.container", "[Container]\nImage=localhost/web:1\nSecret=token,type=env\n");
  write_file(staged + "/net.network", "[Network]\n");
  write_file(staged + "/data.volume", "[Volume]\n");
  write_file(staged + "/bad.container", "[Container]\n");
  write_file(staged + "/conf.d/a", "a");
  DryRun dry_run;
  dry_run.units = {{"web.service", staged + "/web.container",
                    "SourcePath=" + staged + "/web.container\nExecStart=podman run -v " + staged + ":/all web\n"},
                   {"net-network.service", staged + "/net.network", "ExecStart=podman network create systemd-net\n"},
                   {"data-volume.service", staged + "/data.volume", "ExecStart=podman volume create \"my-data\"\n"},
                   {"other.service", folder / "live/other.container", "ExecStart=podman run other\n"}};
  std::vector<std::string> missing;
  const auto generation = read_generation(staged, "/live/shop", dry_run, missing);
  REQUIRE(generation);
  REQUIRE(generation->units.size() == 3);
  const AppUnit& web = generation->units[2];
  CHECK(web.name == "web.service");
  CHECK(web.source == "web.container");
  CHECK(web.image == "localhost/web:1");
  CHECK(web.secrets == std::vector<std::string>{"token"});
  CHECK(web.text == "SourcePath=/live/shop/web.container\nExecStart=podman run -v /live/shop:/all web\n");
  CHECK(web.is_service());
  CHECK_FALSE(generation->units[0].is_service());
  CHECK(generation->networks == std::vector<std::string>{"systemd-net"});
  CHECK(generation->volumes == std::vector<std::string>{"my-data"});
  CHECK(missing == std::vector<std::string>{"bad.container"});
  CHECK(generation->files.size() == 5);
  CHECK(generation->files.contains("conf.d/a"));
  CHECK(generation->folder_identity == Installer::identity(staged));
}

TEST_CASE("What drop-ins and other options add to a unit counts as the quadlet's own") {
  const TemporaryFolder folder;
  const std::string staged = folder / "staged";
  std::filesystem::create_directories(staged);
  write_file(staged + "/web.container", "[Container]\nImage=localhost/web:1\nPodmanArgs=--secret=hidden,target=/x\n");
  DryRun dry_run;
  dry_run.units = {{"web.service", staged + "/web.container",
                    "[X-Container]\nImage=localhost/web:1\nImage=localhost/web:2\nPull=never\n[Service]\n"
                    "ExecStart=/usr/bin/podman run --secret=hidden,target=/x --secret added localhost/web:2\n"}};
  std::vector<std::string> missing;
  const auto generation = read_generation(staged, "/live/shop", dry_run, missing);
  REQUIRE(generation);
  const AppUnit& web = generation->units.front();
  CHECK(web.image == "localhost/web:2");
  CHECK(web.pull == "never");
  CHECK(web.secrets == std::vector<std::string>{"hidden", "added"});
}

TEST_CASE("A folder that is not there is an error") {
  const TemporaryFolder folder;
  std::vector<std::string> missing;
  CHECK_FALSE(read_generation(folder / "absent", "/live", {}, missing));
}

TEST_CASE("The journal of a generation is read as it was written") {
  Generation generation;
  generation.units = {
      {.name = "web.service", .source = "web.container", .image = "i", .secrets = {"token"}, .text = "t"}};
  generation.secrets = {{"token", 18'446'744'073'709'551'615U}};
  generation.networks = {"n"};
  generation.volumes = {"v"};
  generation.found_networks = {"theirs"};
  generation.found_volumes = {"their-data"};
  generation.instances = {"job@two.service"};
  generation.has_dropped_leftovers = true;
  generation.folder_identity = 18'446'744'073'709'551'615U;
  generation.replaces = "id";
  const auto read = generation_from_json(to_json(generation));
  REQUIRE(read);
  REQUIRE(read->units.size() == 1);
  CHECK(read->units[0].name == "web.service");
  CHECK(read->units[0].source == "web.container");
  CHECK(read->units[0].image == "i");
  CHECK(read->units[0].secrets == std::vector<std::string>{"token"});
  CHECK(read->secrets == generation.secrets);
  CHECK(read->networks == generation.networks);
  CHECK(read->volumes == generation.volumes);
  CHECK(read->found_networks == generation.found_networks);
  CHECK(read->found_volumes == generation.found_volumes);
  CHECK(read->instances == generation.instances);
  CHECK(read->has_dropped_leftovers);
  CHECK(read->folder_identity == generation.folder_identity);
  CHECK(read->replaces == "id");
  CHECK(generation_from_json(to_json({})));
}

TEST_CASE("A journal of before objects were told apart is read: all are the app's own") {
  const auto read = generation_from_json(
      R"({"units":[],"secrets":{},"networks":["n"],"volumes":["v"],"folder_identity":0,"replaces":""})");
  REQUIRE(read);
  CHECK(read->networks == std::vector<std::string>{"n"});
  CHECK(read->volumes == std::vector<std::string>{"v"});
  CHECK(read->found_networks.empty());
  CHECK_FALSE(read->has_dropped_leftovers);
}

TEST_CASE("A journal that was not written so is refused") {
  const std::string good = to_json({});
  const std::vector<std::string> garbage{
      "",
      "null",
      "[]",
      "{}",
      "7",
      "{\"units\":",
      good.substr(0, good.size() - 1),
      R"({"units":null,"secrets":{},"networks":[],"volumes":[],"folder_identity":0,"replaces":""})",
      R"({"units":[7],"secrets":{},"networks":[],"volumes":[],"folder_identity":0,"replaces":""})",
      R"({"units":[],"secrets":[1],"networks":[],"volumes":[],"folder_identity":0,"replaces":""})",
      R"({"units":[],"secrets":{"a":"b"},"networks":[],"volumes":[],"folder_identity":0,"replaces":""})",
      R"({"units":[],"secrets":{},"networks":[],"volumes":[],"found_volumes":7,"folder_identity":0,"replaces":""})",
      R"({"units":[],"secrets":{},"networks":"n","volumes":[],"folder_identity":0,"replaces":""})",
      R"({"units":[],"secrets":{},"networks":[],"volumes":[],"folder_identity":"0","replaces":""})"};
  for (const std::string& text : garbage) {
    CAPTURE(text);
    const auto read = generation_from_json(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::internal_error);
  }
}

}  // namespace leger
