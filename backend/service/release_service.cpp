#include "backend/service/release_service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "backend/base/offload.h"
#include "backend/crypto/seal.h"
#include "quadlets/bundle.h"

namespace leger {
namespace {

constexpr std::string_view kIncomingPrefix = ".incoming-";

Result<void> sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return Fail(system_error("cannot make " + path + " durable", why));
  return {};
}

// Runs on the writer's thread, inside the transaction that numbers the release: file first, row second.
Result<void> place_file(const std::string& from, const std::string& releases_dir, const std::string& r2_path) {
  const std::string to = releases_dir + "/" + r2_path;
  const std::string folder = to.substr(0, to.rfind('/'));
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(system_error("cannot make the folder " + folder, errno));
  }
  // Also where it was there: that does not say that it is on the disk.
  auto synced = sync_folder(releases_dir);
  if (!synced) return synced;
  if (std::rename(from.c_str(), to.c_str()) != 0) return Fail(system_error("cannot put the bundle at " + to, errno));
  synced = sync_folder(folder);
  if (!synced) unlink(to.c_str());
  return synced;
}

}  // namespace

// The temporary file of one upload; gone with the object unless it was put in its place.
class ReleaseService::Incoming {
 public:
  explicit Incoming(const std::string& folder) : path_(folder + "/" + std::string(kIncomingPrefix) + random_uuid()) {}
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() {
    if (fd_ >= 0) ::close(fd_);
    unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  std::string sha256() { return hash_.hex(); }

  Result<bool> create() {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0) return Fail(system_error("cannot store the bundle", errno));
    return true;
  }
  Result<bool> append(const std::string& part) {
    hash_.update(part);
    for (std::size_t done = 0; done < part.size();) {
      const ssize_t written = ::write(fd_, part.data() + done, part.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail(system_error("cannot store the bundle", errno));
      done += static_cast<std::size_t>(written);
    }
    size_ += part.size();
    return true;
  }
  Result<bool> sync() {
    if (fsync(fd_) != 0) return Fail(system_error("cannot store the bundle", errno));
    return true;
  }
  // Whether the file at `path` is this upload's.
  bool is_at(const std::string& path) const {
    struct stat mine{};
    struct stat there{};
    return fstat(fd_, &mine) == 0 && stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  Sha256 hash_;
};

ReleaseService::ReleaseService(Loop& loop, Releases& store, std::string releases_dir)
    : loop_(loop), store_(store), releases_dir_(std::move(releases_dir)) {}

Result<void> ReleaseService::prepare() {
  if (mkdir(releases_dir_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(system_error("cannot make the folder " + releases_dir_, errno));
  }
  auto synced = sync_folder(std::filesystem::path(releases_dir_).parent_path().string());
  if (!synced) return synced;
  std::error_code problem;
  std::filesystem::directory_iterator entry(releases_dir_, problem);
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    if (!entry->path().filename().string().starts_with(kIncomingPrefix)) continue;
    std::filesystem::remove(entry->path(), problem);
    if (problem) break;
  }
  if (problem) return Fail(system_error("cannot read the folder " + releases_dir_, problem.value()));
  return {};
}

Task<Result<void>> ReleaseService::receive(Incoming& incoming, NextPart next_part) {
  auto created = co_await offload(loop_, [&incoming] { return incoming.create(); });
  if (!created) co_return Fail(created.error());
  while (true) {
    auto part = co_await next_part();
    if (!part) co_return Fail(part.error());
    const bool ended = part->empty();
    auto kept =
        co_await offload(loop_, [&incoming, &part, ended] { return ended ? incoming.sync() : incoming.append(*part); });
    if (!kept) co_return Fail(kept.error());
    if (ended) co_return Result<void>();
  }
}

Task<Result<AddOutcome>> ReleaseService::upload(std::string user_uuid, NextPart next_part,
                                                std::optional<std::string> expected_sha256) {
  Incoming incoming(releases_dir_);
  auto received = co_await receive(incoming, std::move(next_part));
  if (!received) co_return Fail(received.error());
  const std::string sha256 = incoming.sha256();
  if (expected_sha256 && *expected_sha256 != sha256) {
    co_return Fail({Code::invalid_bundle,
                    "The bundle's bytes have the SHA-256 " + sha256 + ", not the one that was announced.",
                    "Upload it again.",
                    {}});
  }
  auto manifest = co_await offload(loop_, [&incoming] { return check_bundle(incoming.path()); });
  if (!manifest) co_return Fail(manifest.error());
  Release release{.id = random_uuid(),
                  .user_uuid = std::move(user_uuid),
                  .deployment_name = manifest->deployment_name,
                  .bundle_size_bytes = incoming.size(),
                  .sha256 = sha256,
                  .created_at = rfc3339(loop_.clock().wall_seconds()),
                  .files = manifest->files,
                  .secrets_required = manifest->secrets_required};
  for (const ManifestService& service : manifest->services) release.services.push_back(service.name);
  std::string placed;
  auto added = co_await store_.add(std::move(release), [this, &incoming, &placed](const Release& numbered) {
    placed = path_of(numbered);
    return place_file(incoming.path(), releases_dir_, numbered.r2_path);
  });
  // The transaction may have failed after the file was placed. Its number is free again then, and another upload may
  // have put its own file there by now.
  if (!added && incoming.is_at(placed)) unlink(placed.c_str());
  co_return added;
}

}  // namespace leger
