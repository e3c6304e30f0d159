#pragma once

// The outer wrapping of a bundle: bytes that are exactly one gzip member, unpacked block by block within bounds. Ours
// and not libarchive's, because that one reads on into further members and trailing bytes without a word. Blocking.

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"

namespace leger {

struct GzipLimits {
  std::uint64_t packed_bytes;
  std::uint64_t unpacked_bytes;
  std::uint64_t ratio;  // what is unpacked beyond the first MiB, to the size of the file
};

class GzipReader {
 public:
  // invalid_bundle where `path` cannot be opened or is no regular file, bundle_too_large by its size alone.
  static Result<GzipReader> open(const std::string& path, GzipLimits limits);

  // The same of bytes in memory, which outlive the reader.
  static Result<GzipReader> over(std::string_view bytes, GzipLimits limits);

  // The next unpacked bytes, valid until the next call; empty at the end, when the member was whole and nothing follows
  // it. Not called again after an error.
  Result<std::string_view> next();

  // Bytes given out by next() so far, and how many of the last of them are zero.
  std::uint64_t unpacked() const { return unpacked_; }
  std::uint64_t zeros_at_end() const { return zeros_at_end_; }

 private:
  struct End {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  GzipReader(FileHandle file, std::uint64_t packed_bytes, GzipLimits limits);
  Result<void> refill();
  void give(std::string_view packed);
  Result<void> check_end();
  Result<void> count(std::string_view block);

  FileHandle file_;             // none: the bytes are in memory
  std::string_view in_memory_;  // that were not given yet
  std::uint64_t size_;
  GzipLimits limits_;
  std::unique_ptr<z_stream, End> stream_;
  std::string packed_;
  std::string block_;
  std::uint64_t packed_read_ = 0;
  std::uint64_t unpacked_ = 0;
  std::uint64_t zeros_at_end_ = 0;
  bool ended_ = false;
};

}  // namespace leger
