#include "backend/service/incoming_bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "backend/service/release_folder.h"

namespace leger {
namespace {

Fail cannot_store(int why) { return Fail(system_error("cannot store the bundle", why)); }

}  // namespace

IncomingBundle::IncomingBundle(const std::string& folder)
    : path_(folder + "/" + std::string(ReleaseFolder::kIncomingPrefix) + random_uuid()) {}

Result<void> IncomingBundle::append(std::string_view part) {
  if (!file_) {
    file_ = FileHandle(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file_) return cannot_store(errno);
    is_ours_ = true;
  }
  for (std::size_t done = 0; done < part.size();) {
    const ssize_t written = ::write(file_.get(), part.data() + done, part.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot_store(errno);
    done += static_cast<std::size_t>(written);
  }
  // A hint; the fsync at the end does what is left.
  sync_file_range(file_.get(), static_cast<off_t>(size_), static_cast<off_t>(part.size()), SYNC_FILE_RANGE_WRITE);
  hash_.update(part);
  size_ += part.size();
  return {};
}

const std::string& IncomingBundle::sha256() {
  if (sha256_.empty()) sha256_ = hash_.hex();
  return sha256_;
}

Result<void> IncomingBundle::sync() const {
  if (fsync(file_.get()) != 0) return cannot_store(errno);
  return {};
}

void IncomingBundle::remove_at(const std::string& path) const {
  struct stat mine{};
  struct stat there{};
  const bool is_mine = fstat(file_.get(), &mine) == 0 && stat(path.c_str(), &there) == 0 &&
                       mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
  if (is_mine) unlink(path.c_str());
}

void IncomingBundle::discard() {
  if (is_ours_) unlink(path_.c_str());
  is_ours_ = false;
  file_ = FileHandle();
}

}  // namespace leger
