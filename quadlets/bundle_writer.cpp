#include "quadlets/bundle_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

#include "quadlets/bundle_paths.h"

namespace leger {
namespace {

constexpr int kGzip = 15 + 16;  // zlib's largest window, in a gzip wrapping
constexpr int kLevel = 6;
constexpr int kMemory = 8;                     // zlib's own default
constexpr int kUnknownSystem = 255;            // RFC 1952: of the machine that packed
constexpr std::uint64_t kFreeBytes = 1 << 20;  // the ratio counts beyond these, as GzipReader counts
constexpr std::size_t kBlockBytes = 64 << 10;

Fail too_large(const std::string& why) {
  return Fail({Code::bundle_too_large,
               "The folder is refused: " + why + ".",
               "Leave out what the app does not need; data belongs into volumes, images into a registry.",
               {}});
}

Fail broken(std::string_view what, const char* why) {
  return Fail(
      {Code::internal_error,
       "The bundle cannot be packed: " + std::string(what) + (why == nullptr ? "" : std::string(" ") + why) + ".",
       "Check that there is memory left.",
       {}});
}

// zlib's compressor with a gzip header that tells nothing, writing to memory.
class GzipWriter {
 public:
  explicit GzipWriter(const BundleLimits& limits) : limits_(limits) {
    header_.os = kUnknownSystem;
    ready_ = deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) == Z_OK &&
             deflateSetHeader(&stream_, &header_) == Z_OK;
  }
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  ~GzipWriter() { deflateEnd(&stream_); }

  Result<void> write(std::string_view bytes) { return feed(bytes, Z_NO_FLUSH); }

  Result<std::string> finish() {
    if (auto fed = feed({}, Z_FINISH); !fed) return Fail(fed.error());
    if (unpacked_ > kFreeBytes && unpacked_ - kFreeBytes > limits_.ratio * packed_.size()) {
      return too_large("it would unpack to more than " + std::to_string(limits_.ratio) + " times the bundle's size");
    }
    return std::move(packed_);
  }

 private:
  Result<void> feed(std::string_view bytes, int flush) {
    if (!ready_) return broken("zlib cannot start", nullptr);
    unpacked_ += bytes.size();
    if (unpacked_ > limits_.unpacked_bytes) {
      return too_large("its files and their headers have more than " + std::to_string(limits_.unpacked_bytes) +
                       " bytes");
    }
    // zlib reads through a pointer that is not const, and changes nothing.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    int outcome = Z_OK;
    do {
      stream_.next_out = block_.data();
      stream_.avail_out = static_cast<uInt>(block_.size());
      outcome = deflate(&stream_, flush);
      packed_.append(reinterpret_cast<const char*>(block_.data()), block_.size() - stream_.avail_out);
      if (packed_.size() > limits_.packed_bytes) {
        return too_large("packed it has more than " + std::to_string(limits_.packed_bytes) + " bytes");
      }
    } while (stream_.avail_out == 0);
    if (outcome == Z_STREAM_ERROR) return broken("zlib fails", stream_.msg);
    return {};
  }

  const BundleLimits& limits_;
  z_stream stream_{};
  gz_header header_{};
  std::array<Bytef, kBlockBytes> block_{};
  std::string packed_;
  std::uint64_t unpacked_ = 0;
  bool ready_ = false;
};

// libarchive's writer for the tar format: plain ustar, and a pax header where a path is too long for that.
class TarWriter {
 public:
  explicit TarWriter(GzipWriter& gzip) : gzip_(gzip) {}

  Result<void> open() {
    if (!archive_ || archive_write_set_format_pax_restricted(archive_.get()) != ARCHIVE_OK) return failed();
    archive_write_set_bytes_per_block(archive_.get(), 0);
    if (archive_write_open2(archive_.get(), this, nullptr, on_bytes, nullptr, nullptr) != ARCHIVE_OK) return failed();
    return {};
  }

  Result<void> add(const std::string& path, std::string_view bytes) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), archive_entry_free);
    if (!entry) return broken("libarchive cannot start an entry", nullptr);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    if (archive_write_header(archive_.get(), entry.get()) != ARCHIVE_OK) return failed();
    while (!bytes.empty()) {
      const la_ssize_t written = archive_write_data(archive_.get(), bytes.data(), bytes.size());
      if (written <= 0) return failed();
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> close() {
    if (archive_write_close(archive_.get()) != ARCHIVE_OK) return failed();
    return {};
  }

 private:
  static la_ssize_t on_bytes(archive* writer, void* self, const void* bytes, std::size_t size) {
    auto& tar = *static_cast<TarWriter*>(self);
    if (auto written = tar.gzip_.write({static_cast<const char*>(bytes), size}); !written) {
      tar.sink_error_ = written.error();
      archive_set_error(writer, EIO, "the bundle cannot be packed");
      return -1;
    }
    return static_cast<la_ssize_t>(size);
  }

  Fail failed() const {
    if (sink_error_) return Fail(*sink_error_);
    return broken("libarchive fails:", archive_ ? archive_error_string(archive_.get()) : nullptr);
  }

  GzipWriter& gzip_;
  std::optional<Error> sink_error_;  // why the gzip writer failed: libarchive only knows that it did
  // After the error, which it may still set while it is freed.
  std::unique_ptr<archive, decltype(&archive_write_free)> archive_{archive_write_new(), archive_write_free};
};

}  // namespace

Result<std::string> write_bundle(const FolderFiles& files, const BundleLimits& limits) {
  GzipWriter gzip(limits);
  TarWriter tar(gzip);
  if (auto opened = tar.open(); !opened) return Fail(opened.error());
  for (const auto& [path, bytes] : files) {
    if (auto added = tar.add(path, bytes); !added) return Fail(added.error());
  }
  if (auto closed = tar.close(); !closed) return Fail(closed.error());
  return gzip.finish();
}

}  // namespace leger
