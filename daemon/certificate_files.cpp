#include "daemon/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "backend/base/file_handle.h"
#include "backend/base/secret.h"

namespace leger {
namespace {

constexpr off_t kMostBytes = 256 * 1024;
constexpr mode_t kOthers = 0077;

enum class Kind { certificate, key };

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

Fail wrong(const std::string& path, const std::string& what, std::string action) {
  return Fail({Code::invalid_request, path + " " + what, std::move(action), {}});
}

Result<void> judge(const std::string& path, Kind kind, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return wrong(path, "is not a regular file.", "Name the file itself under [tls].");
  if (status.st_size > kMostBytes) return wrong(path, "is larger than 256 KiB: it is not a PEM file.", {});
  if (kind == Kind::key && (status.st_mode & kOthers) != 0) {
    return wrong(path, "is a private key that others may read or change.",
                 "Take that right away: chmod 600 " + path + " (and think of who may have read it)");
  }
  return {};
}

Result<Secret> read(const std::string& path, Kind kind) {
  // Without waiting for a writer where the path is a FIFO.
  const FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) {
    const int why = errno;
    Error error = system_error("cannot read " + path, why);
    if (why == EACCES) error.action = "Let the account that runs legerd read it, or name a copy of its own.";
    if (why == ENOENT) error.action = "Put the file there, or name another one under [tls].";
    return Fail(std::move(error));
  }
  auto judged = judge(path, kind, status);
  if (!judged) return Fail(judged.error());
  Secret text(std::string(static_cast<std::size_t>(status.st_size), '\0'));
  std::size_t done = 0;
  while (done < text.buffer().size()) {
    const ssize_t part = ::read(file.get(), text.buffer().data() + done, text.buffer().size() - done);
    if (part < 0) return Fail(system_error("cannot read " + path, errno));
    if (part == 0) break;  // shorter than it was: half of it will not load
    done += static_cast<std::size_t>(part);
  }
  text.buffer().resize(done);
  return text;
}

}  // namespace

FileMark mark_of(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .modified_ns = nanoseconds(status.st_mtim),
          .changed_ns = nanoseconds(status.st_ctim)};
}

Result<std::shared_ptr<TlsContext>> load_files(const CertificateFiles& files) {
  const auto chain = read(files.chain, Kind::certificate);
  if (!chain) return Fail(chain.error());
  const auto key = read(files.key, Kind::key);
  if (!key) return Fail(key.error());
  return TlsContext::make(
      {.chain = chain->reveal(), .chain_name = files.chain, .key = key->reveal(), .key_name = files.key});
}

}  // namespace leger
