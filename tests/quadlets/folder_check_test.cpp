#include "quadlets/folder_check.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

using Files = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kUnit = "[Container]\nImage=localhost/hello:latest\n";

FolderReport report_of(const Files& files) {
  const TemporaryFolder above;
  const std::string folder = above / "hello";
  fs::create_directory(folder);
  for (const auto& [name, bytes] : files) {
    const fs::path path = fs::path(folder) / name;
    fs::create_directories(path.parent_path());
    write_file(path.string(), bytes);
  }
  auto report = check_folder(folder, {});
  REQUIRE(report.has_value());
  return std::move(*report);
}

std::string level_of(const FolderFinding& finding) {
  return finding.severity == Severity::error ? "E " : finding.severity == Severity::warning ? "W " : "N ";
}

// All findings, a line each.
std::string all(const Files& files) {
  std::string text;
  for (const FolderFinding& finding : report_of(files).findings)
    text += level_of(finding) + sentence_of(finding) + "\n";
  return text;
}

TEST_CASE("the example has nothing to be said about") {
  const auto report = check_folder(std::string(EXAMPLES_FOLDER) + "/hello", {});
  REQUIRE(report.has_value());
  CHECK(report->findings.empty());
  CHECK(report->valid());
  CHECK(report->files == 5);
  CHECK(report->bytes > 0);
  CHECK(report->manifest->deployment_name == "hello");
}

TEST_CASE("lines that the generator cannot read are errors with their numbers") {
  CHECK(all({{"a.container", "Image=x\n# fine\n[Container]\nnonsense\nImage=localhost/a \\\n  b\n=1\n[]\n[X]y=1\n"}}) ==
        "E \"a.container\", line 1, stands before the first [Section]\n"
        "E \"a.container\", line 4, is no [Section], no Key=value and no comment\n"
        "E \"a.container\", line 7, is no [Section], no Key=value and no comment\n"
        "E \"a.container\", line 8, names no section that there can be\n"
        "E \"a.container\", line 9, has a key with [ or ] in it\n");
  CHECK(all({{"a.container", std::string(kUnit) + std::string("#\0\n", 3)}}) ==
        "E \"a.container\" has a zero byte in it\n");
  // Side files are nobody's units.
  CHECK(all({{"a.container", kUnit}, {"a.conf", "nonsense\n"}, {"conf.d/a.conf", "nonsense\n"}}) == "");
}

TEST_CASE("units without what they are made of are errors") {
  CHECK(all({{"a.container", "[Container]\n"},
             {"b.build", "[Build]\nImageTag=\n"},
             {"c.image", ""},
             {"d.kube", "[Container]\nYaml=x\n"},
             {"e.artifact", "[Artifact]\n"},
             {"f.volume", ""}}) ==
        "E \"a.container\" has neither Image= nor Rootfs= in [Container]\n"
        "E \"b.build\" has no ImageTag= in [Build]\n"
        "E \"b.build\" has neither File= nor SetWorkingDirectory= in [Build]\n"
        "E \"c.image\" has no Image= in [Image]\n"
        "E \"d.kube\" has no Yaml= in [Kube]\n"
        "E \"e.artifact\" has no Artifact= in [Artifact]\n");
  CHECK(all({{"a.container", "[Container]\nRootfs=/x\n"}}) == "");
  CHECK(all({{"a.container", "[Container]\n"}, {"a.container.d/x.conf", kUnit}}) == "");
  CHECK(all({{"a.container", kUnit}, {"a.container.d/x.conf", "[Container]\n\nRootfs=/x\n"}}) ==
        "E \"a.container.d/x.conf\", line 3, has Rootfs= beside Image=; only one can be\n");
}

TEST_CASE("images without a registry are warned of") {
  const auto said = [](const std::string& image) {
    return all({{"a.container", "[Container]\nImage=" + image + "\n"}});
  };
  for (const char* full : {"docker.io/library/nginx:1", "localhost/x", "host:5000/x", "docker://nginx", "oci-archive:x",
                           "%i", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
    CHECK_MESSAGE(said(full) == "", full);
  }
  for (const char* brief : {"nginx", "nginx:1", "library/nginx", "nginx@sha256:00"}) {
    CHECK_MESSAGE(said(brief) == "W \"a.container\", line 2, names the image \"" + std::string(brief) +
                                     "\" without its registry, which Podman may look for in several\n",
                  brief);
  }
}

TEST_CASE("quadlets that a unit needs and the folder has not are warned of") {
  const std::string unit =
      "[Container]\nImage=x.image\nVolume=data.volume:/data\nVolume=/a.volume:/b\nNetwork=net.network:ip=10.0.0.2\n"
      "Pod=all.pod\n[Service]\nPod=none.pod\n";
  CHECK(all({{"a.container", unit}}) ==
        "W \"a.container\", line 2, needs \"x.image\", which is not in the folder\n"
        "W \"a.container\", line 3, needs \"data.volume\", which is not in the folder\n"
        "W \"a.container\", line 5, needs \"net.network\", which is not in the folder\n"
        "W \"a.container\", line 6, needs \"all.pod\", which is not in the folder\n");
  CHECK(all({{"a.container", unit},
             {"x.image", "[Image]\nImage=localhost/x\n"},
             {"sub/data.volume", ""},
             {"net.network", ""},
             {"all.pod", ""}}) == "");
}

TEST_CASE("drop-ins are for units of the folder alone") {
  CHECK(all({{"app.container", kUnit},
             {"app.container.d/a.conf", "[Container]\n"},
             {"app-.container.d/a.conf", "[Container]\n"},
             {"b.container.d/a.conf", "[Container]\n"},
             {"container.d/a.conf", "[Container]\n"},
             {"b.container.d/notes", "x"}}) ==
        "E \"app-.container.d/a.conf\" is a drop-in for \"app-.container\", which is not in the folder\n"
        "E \"b.container.d/a.conf\" is a drop-in for \"b.container\", which is not in the folder\n"
        "E \"container.d/a.conf\" would change every container of the host; a drop-in is for one unit of the folder\n");
  CHECK(all({{"app@.container", kUnit}, {"app@one.container.d/a.conf", "[Container]\n"}}) == "");
}

TEST_CASE("names that collide are errors, in one folder and in two") {
  CHECK(all({{"a.container", kUnit}, {"sub/a.container", kUnit}}) ==
        "E \"sub/a.container\" has the same name as \"a.container\"\n");
  CHECK(all({{"A.conf", ""}, {"a.conf", ""}, {"a.container", kUnit}}) ==
        "E \"a.conf\" is there twice (upper and lower case count as the same)\n");
}

TEST_CASE("a secret that a given manifest does not list, and a manifest for nothing, are told of") {
  const std::string unit = std::string(kUnit) + "Secret=other_key\nSecret=test_key\n";
  CHECK(all({{"a.container", unit}, {"manifest.json", manifest_for({"a.container"})}}) ==
        "N \"a.container\" uses the secret \"other_key\", which \"secrets_required\" of manifest.json does not list\n");
  CHECK(all({{"a.container", unit}}) == "");
  CHECK(all({{"a.conf", ""}, {"manifest.json", manifest_for({"a.conf"})}}) ==
        "W The folder holds no quadlet: nothing of it would run\n");
}

TEST_CASE("everything is told at once, what packing refuses as well, errors first") {
  const FolderReport report = report_of({{".env", "x"},
                                         {"a b", "x"},
                                         {"a.container", "[Container]\nImage=nginx\nbad\n"},
                                         {"manifest.json", manifest_for({"a.container", "gone"})}});
  std::string text;
  for (const FolderFinding& finding : report.findings) text += level_of(finding) + sentence_of(finding) + "\n";
  CHECK(text ==
        "E \"a b\" has other characters than A-Z a-z 0-9 @ _ . - in its name\n"
        "E \"a.container\", line 3, is no [Section], no Key=value and no comment\n"
        "E \"manifest.json\" lists \"gone\", which is not in the folder\n"
        "W \"a.container\", line 2, names the image \"nginx\" without its registry, which Podman may look for in "
        "several\n"
        "N \".env\" is hidden and left out\n");
  CHECK_FALSE(report.valid());
  CHECK(report.bytes == 0);
}

TEST_CASE("what only the whole bundle shows is found too") {
  CHECK(all({{"a.container", kUnit}, {"zeros", std::string(3 << 20, '\0')}}) ==
        "E The folder is refused: it would unpack to more than 100 times the bundle's size\n");
}

TEST_CASE("a folder that is not there is an error") {
  const auto report = check_folder("/absent", {});
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message == "The folder \"/absent\" cannot be opened: No such file or directory.");
}

}  // namespace
}  // namespace leger::test
