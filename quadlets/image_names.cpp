#include "quadlets/image_names.h"

#include <algorithm>

namespace leger {
namespace {

// `name@sha256:…` of a reference that has a digest, whatever its tag; else `name:tag`.
std::string with_tag(std::string_view reference) {
  const std::size_t digest = reference.find('@');
  const std::string_view named = reference.substr(0, digest);
  const std::size_t slash = named.rfind('/');
  const std::size_t colon = named.find(':', slash == std::string_view::npos ? 0 : slash);
  if (digest != std::string_view::npos) {
    return std::string(named.substr(0, colon)).append(reference.substr(digest));
  }
  return std::string(named) + (colon == std::string_view::npos ? ":latest" : "");
}

// The names that Podman keeps an image of this reference under.
std::vector<std::string> full_names(std::string_view reference) {
  const std::string name = with_tag(reference);
  const std::size_t slash = name.find('/');
  if (has_registry(name)) return {name};
  return {"localhost/" + name, (slash == std::string::npos ? "docker.io/library/" : "docker.io/") + name};
}

}  // namespace

bool is_image_reference(std::string_view image) {
  return !image.empty() && !image.ends_with(".image") && !image.ends_with(".build");
}

bool has_registry(std::string_view reference) {
  const std::size_t slash = reference.find('/');
  const std::string_view host = slash == std::string_view::npos ? "" : reference.substr(0, slash);
  return host == "localhost" || host.find_first_of(".:") != std::string_view::npos;
}

ImageName split_image_name(std::string_view reference) {
  const std::string name = with_tag(reference);
  if (name.find('@') != std::string::npos) return {};
  const std::size_t colon = name.rfind(':');
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string image_digest(const std::vector<PodmanImage>& images, std::string_view id, std::string_view reference) {
  const std::string name = with_tag(reference);
  const std::string repository = name.substr(0, name.find('@') == std::string::npos ? name.rfind(':') : name.find('@'));
  for (const PodmanImage& image : images) {
    if (image.id != id) continue;
    for (const std::string& known : image.names) {
      if (known.starts_with(repository + "@")) return known;
    }
  }
  return {};
}

std::string image_id(const std::vector<PodmanImage>& images, std::string_view reference) {
  const std::string_view id = reference.starts_with("sha256:") ? reference.substr(7) : reference;
  const auto by_id = std::ranges::find(images, id, &PodmanImage::id);
  if (by_id != images.end()) return by_id->id;
  for (const std::string& name : full_names(reference)) {
    for (const PodmanImage& image : images) {
      if (std::ranges::contains(image.names, name)) return image.id;
    }
  }
  return {};
}

}  // namespace leger
