#include "quadlets/gzip_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace leger {
namespace {

constexpr std::size_t kBlockBytes = 64 << 10;
constexpr std::uint64_t kFreeBytes = 1 << 20;  // the ratio counts beyond these
constexpr int kGzipOnly = 15 + 16;             // inflateInit2: the largest window, a gzip header and nothing else

Fail refused(const std::string& why) {
  return Fail({Code::invalid_bundle,
               "The bundle is refused: " + why + ".",
               "Pack it again with `tar -czf`, and upload that file unchanged.",
               {}});
}

Fail too_large(const std::string& why) {
  return Fail(
      {Code::bundle_too_large, "The bundle is refused: " + why + ".", "Leave out what the app does not need.", {}});
}

Result<void> check_size(std::uint64_t size, const GzipLimits& limits) {
  if (size <= limits.packed_bytes) return {};
  return too_large("it has " + std::to_string(size) + " bytes, more than " + std::to_string(limits.packed_bytes));
}

Fail cannot_open(const std::string& path, const std::string& why) {
  return Fail({Code::invalid_bundle,
               "The bundle " + path + " cannot be read: " + why + ".",
               "Name a .tar.gz file that is there and readable.",
               {}});
}

}  // namespace

GzipReader::GzipReader(FileHandle file, std::uint64_t packed_bytes, GzipLimits limits)
    : file_(std::move(file)),
      size_(packed_bytes),
      limits_(limits),
      stream_(new z_stream{}),
      packed_(file_ ? kBlockBytes : 0, '\0'),
      block_(kBlockBytes, '\0') {
  if (inflateInit2(stream_.get(), kGzipOnly) != Z_OK) throw std::runtime_error("zlib cannot be initialised");
}

Result<GzipReader> GzipReader::open(const std::string& path, GzipLimits limits) {
  // O_NONBLOCK: the opening of a fifo would wait for its writer.
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return cannot_open(path, std::generic_category().message(errno));
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return cannot_open(path, std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode)) return cannot_open(path, "it is no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (auto within = check_size(size, limits); !within) return Fail(within.error());
  return GzipReader(std::move(file), size, limits);
}

Result<GzipReader> GzipReader::over(std::string_view bytes, GzipLimits limits) {
  if (auto within = check_size(bytes.size(), limits); !within) return Fail(within.error());
  GzipReader reader({}, bytes.size(), limits);
  reader.in_memory_ = bytes;
  return reader;
}

void GzipReader::give(std::string_view packed) {
  packed_read_ += packed.size();
  stream_->next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(packed.data()));  // zlib only reads it
  stream_->avail_in = static_cast<uInt>(packed.size());
}

Result<void> GzipReader::refill() {
  if (!file_) {
    const std::string_view packed = in_memory_.substr(0, kBlockBytes);
    in_memory_.remove_prefix(packed.size());
    give(packed);
    return {};
  }
  ssize_t length = 0;
  do {
    length = ::read(file_.get(), packed_.data(), packed_.size());
  } while (length < 0 && errno == EINTR);
  if (length < 0) return Fail(system_error("The bundle cannot be read", errno));
  give({packed_.data(), static_cast<std::size_t>(length)});
  if (packed_read_ > size_) return refused("it grew while it was read");
  return {};
}

Result<void> GzipReader::check_end() {
  if (stream_->avail_in == 0) {
    if (auto more = refill(); !more) return more;
  }
  if (stream_->avail_in != 0) return refused("something follows the end of its gzip member");
  return {};
}

Result<void> GzipReader::count(std::string_view block) {
  unpacked_ += block.size();
  const std::size_t last = block.find_last_not_of('\0');
  zeros_at_end_ = last == std::string_view::npos ? zeros_at_end_ + block.size() : block.size() - last - 1;
  if (unpacked_ > limits_.unpacked_bytes) {
    return too_large("unpacked it has more than " + std::to_string(limits_.unpacked_bytes) + " bytes");
  }
  if (unpacked_ > kFreeBytes && unpacked_ - kFreeBytes > limits_.ratio * size_) {
    return too_large("unpacked it is more than " + std::to_string(limits_.ratio) + " times its size");
  }
  return {};
}

Result<std::string_view> GzipReader::next() {
  if (ended_) return std::string_view();
  stream_->next_out = reinterpret_cast<unsigned char*>(block_.data());
  stream_->avail_out = static_cast<uInt>(block_.size());
  while (stream_->avail_out > 0 && !ended_) {
    if (stream_->avail_in == 0) {
      if (auto more = refill(); !more) return Fail(more.error());
      if (stream_->avail_in == 0) return refused("it is cut off, or no gzip file");
    }
    const int outcome = inflate(stream_.get(), Z_NO_FLUSH);
    if (outcome == Z_STREAM_END) {
      ended_ = true;
    } else if (outcome != Z_OK) {
      return refused("it is no valid gzip file");
    }
  }
  const std::string_view block(block_.data(), block_.size() - stream_->avail_out);
  if (auto within = count(block); !within) return Fail(within.error());
  if (ended_) {
    if (auto end = check_end(); !end) return Fail(end.error());
  }
  return block;
}

}  // namespace leger
