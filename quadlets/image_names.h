#pragma once

// Which of Podman's images a unit means by its name: a tag that is left out is `latest`, and a name without a host is
// looked for as Podman does it among the images it has. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "quadlets/podman.h"

namespace leger {

// Whether Image= names an image, and not a `.image` or `.build` unit of the bundle.
bool is_image_reference(std::string_view image);

// Whether it names its registry (docker.io/…, localhost/…): Podman would ask a person which one is meant.
bool has_registry(std::string_view reference);

// A name without a tag is of `latest`. Both are empty for one with a digest, which no other image can get.
struct ImageName {
  std::string repository;
  std::string tag;
};
ImageName split_image_name(std::string_view reference);

// The digest that the image of this id has in the repository of `reference`, as `repository@sha256:…`; empty where
// Podman knows none.
std::string image_digest(const std::vector<PodmanImage>& images, std::string_view id, std::string_view reference);

// The id of the image that `reference` names; empty where it is not there.
std::string image_id(const std::vector<PodmanImage>& images, std::string_view reference);

}  // namespace leger
