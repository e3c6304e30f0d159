#include "quadlets/image_names.h"

#include <doctest/doctest.h>

namespace leger::test {
namespace {

const std::vector<PodmanImage> kImages{
    {.id = "aa11", .names = {"localhost/web:1", "localhost/web@sha256:d1"}},
    {.id = "bb22", .names = {"localhost/web:latest"}},
    {.id = "cc33", .names = {"docker.io/library/nginx:1.27", "docker.io/library/nginx@sha256:d3"}},
    {.id = "dd44", .names = {"docker.io/someone/tool:latest"}},
    {.id = "ee55", .names = {"registry.example:5000/team/app:2"}},
    {.id = "ff66", .names = {}}};

TEST_CASE("an image is found by each name that Podman has it under") {
  struct Line {
    std::string reference;
    std::string id;
  };
  for (const Line& line : std::vector<Line>{{"localhost/web:1", "aa11"},
                                            {"localhost/web", "bb22"},
                                            {"localhost/web@sha256:d1", "aa11"},
                                            {"localhost/web:9@sha256:d1", "aa11"},
                                            {"web:1", "aa11"},
                                            {"nginx:1.27", "cc33"},
                                            {"docker.io/library/nginx@sha256:d3", "cc33"},
                                            {"someone/tool", "dd44"},
                                            {"registry.example:5000/team/app:2", "ee55"},
                                            {"ff66", "ff66"},
                                            {"sha256:ff66", "ff66"},
                                            {"registry.example:5000/team/app", ""},
                                            {"localhost/web:2", ""},
                                            {"localhost/web@sha256:d9", ""},
                                            {"nginx", ""},
                                            {"", ""}}) {
    CAPTURE(line.reference);
    CHECK(image_id(kImages, line.reference) == line.id);
  }
}

TEST_CASE("a unit of the bundle that makes an image is no reference to one") {
  CHECK(is_image_reference("localhost/web:1"));
  CHECK_FALSE(is_image_reference("web.image"));
  CHECK_FALSE(is_image_reference("web.build"));
  CHECK_FALSE(is_image_reference(""));
}

}  // namespace
}  // namespace leger::test
