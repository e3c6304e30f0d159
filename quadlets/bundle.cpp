#include "quadlets/bundle.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "quadlets/bundle_paths.h"
#include "quadlets/folder_writer.h"
#include "quadlets/gzip_reader.h"
#include "quadlets/tar_reader.h"

namespace leger {
namespace {

constexpr std::string_view kManifest = "manifest.json";

Fail too_large(const std::string& why) {
  return Fail(
      {Code::bundle_too_large, "The bundle is refused: " + why + ".", "Leave out what the app does not need.", {}});
}

// One pass over a bundle: every entry judged, the manifest kept, and one more file where it is wanted, the files handed
// to a folder where there is one.
class Pass {
 public:
  // `writer` may be null: the bundle is only checked then.
  Pass(GzipReader& gzip, const BundleLimits& limits, FolderWriter* writer)
      : limits_(limits), tar_(gzip), writer_(writer) {}

  // Keeps the content of the file `name`, to be found in `wanted`.
  void want(std::string name, std::optional<std::string>& wanted) {
    wanted_name_ = std::move(name);
    wanted_ = &wanted;
  }

  Result<Manifest> run() {
    while (true) {
      const auto entry = tar_.next();
      if (!entry) return Fail(entry.error());
      if (!*entry) break;
      if (auto taken = take(**entry); !taken) return Fail(taken.error());
    }
    return finish();
  }

 private:
  Result<void> take(const TarEntry& entry) {
    if (++entries_ > limits_.entries) {
      return too_large("it has more than " + std::to_string(limits_.entries) + " entries");
    }
    const auto path = clean_path(entry.name, {limits_.levels, limits_.path_bytes});
    if (!path) return refused_entry(entry.name, path.error());
    if (entry.is_folder) return take_folder(entry, *path);
    if (path->empty()) return refused_entry(entry.name, "is a file without a name");
    if (auto added = paths_.add_file(*path); !added) return refused_entry(entry.name, added.error());
    if (is_quadlet(*path)) quadlets_.push_back(*path);
    return take_file(*path, entry.bytes);
  }

  Result<void> take_folder(const TarEntry& entry, const std::string& path) {
    if (path.empty()) return {};
    if (auto added = paths_.add_folder(path); !added) return refused_entry(entry.name, added.error());
    return writer_ == nullptr ? Result<void>() : writer_->add_folder(path);
  }

  Result<void> take_file(const std::string& path, std::uint64_t bytes) {
    const bool is_manifest = path == kManifest;
    const std::uint64_t most = is_manifest ? limits_.manifest_bytes : limits_.file_bytes;
    if (bytes > most) {
      return too_large("entry \"" + shown(path) + "\" has " + std::to_string(bytes) + " bytes, more than " +
                       std::to_string(most));
    }
    if (is_manifest) manifest_.emplace();
    std::optional<std::string>* const wanted = path == wanted_name_ ? wanted_ : nullptr;
    if (wanted != nullptr) wanted->emplace();
    if (writer_ != nullptr) {
      if (auto begun = writer_->begin_file(path); !begun) return begun;
    }
    while (true) {
      const auto block = tar_.read();
      if (!block) return Fail(block.error());
      if (block->empty()) break;
      if (is_manifest) manifest_->append(*block);
      if (wanted != nullptr) (*wanted)->append(*block);
      if (writer_ == nullptr) continue;
      if (auto written = writer_->write(*block); !written) return written;
    }
    return writer_ == nullptr ? Result<void>() : writer_->end_file();
  }

  Result<Manifest> finish() {
    if (!manifest_) {
      return Fail({Code::invalid_bundle,
                   "The bundle is refused: it has no manifest.json at its top.",
                   "Pack from within the app's folder, so that manifest.json has no folder before it.",
                   {}});
    }
    auto manifest = parse_manifest(*manifest_);
    if (!manifest) return manifest;
    for (const std::string& file : manifest->files) {
      if (!paths_.has_file(file)) return refused_list("lists \"" + shown(file) + "\", which is not in the bundle");
    }
    const auto& listed = manifest->files;
    for (const std::string& quadlet : quadlets_) {
      if (std::ranges::find(listed, quadlet) == listed.end()) {
        return refused_list("does not list \"" + shown(quadlet) + "\", which is a quadlet");
      }
    }
    return manifest;
  }

  static Fail refused_list(const std::string& why) {
    return Fail({Code::invalid_bundle,
                 "manifest.json is refused: \"files\" " + why + ".",
                 "Make \"files\" of manifest.json and the files themselves agree, then pack the bundle again.",
                 {}});
  }

  const BundleLimits& limits_;
  TarReader tar_;
  FolderWriter* writer_;
  BundlePaths paths_;
  std::vector<std::string> quadlets_;
  std::optional<std::string> manifest_;
  std::string wanted_name_;
  std::optional<std::string>* wanted_ = nullptr;
  std::uint32_t entries_ = 0;
};

GzipLimits gzip_limits(const BundleLimits& limits) {
  return {limits.packed_bytes, limits.unpacked_bytes, limits.ratio};
}

Result<GzipReader> open_bundle(const std::string& path, const BundleLimits& limits) {
  return GzipReader::open(path, gzip_limits(limits));
}

}  // namespace

Result<Manifest> check_bundle(const std::string& path, const BundleLimits& limits) {
  auto gzip = open_bundle(path, limits);
  if (!gzip) return Fail(gzip.error());
  return Pass(*gzip, limits, nullptr).run();
}

Result<Manifest> check_bundle_bytes(std::string_view bytes, const BundleLimits& limits) {
  auto gzip = GzipReader::over(bytes, gzip_limits(limits));
  if (!gzip) return Fail(gzip.error());
  return Pass(*gzip, limits, nullptr).run();
}

Result<Manifest> unpack_bundle(const std::string& path, const std::string& folder, const BundleLimits& limits) {
  auto gzip = open_bundle(path, limits);
  if (!gzip) return Fail(gzip.error());
  auto writer = FolderWriter::create(folder);
  if (!writer) return Fail(writer.error());
  auto manifest = Pass(*gzip, limits, &*writer).run();
  if (!manifest) return manifest;
  if (auto kept = writer->keep(); !kept) return Fail(kept.error());
  return manifest;
}

Result<std::optional<std::string>> read_bundle_file(const std::string& path, const std::string& name,
                                                    const BundleLimits& limits) {
  auto gzip = open_bundle(path, limits);
  if (!gzip) return Fail(gzip.error());
  std::optional<std::string> content;
  Pass pass(*gzip, limits, nullptr);
  pass.want(name, content);
  if (auto read = pass.run(); !read) return Fail(read.error());
  return content;
}

}  // namespace leger
