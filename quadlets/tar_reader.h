#pragma once

// The tar stream inside a bundle, entry by entry: libarchive's reader for that one format, fed by GzipReader, and what
// no entry may be refused at once. It never writes anything. Blocking.

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "quadlets/gzip_reader.h"

namespace leger {

struct TarEntry {
  std::string name;  // as it stands in the archive
  bool is_folder = false;
  std::uint64_t bytes = 0;  // 0 of a folder
};

class TarReader {
 public:
  // `gzip` outlives the reader.
  explicit TarReader(GzipReader& gzip);
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next entry, a plain file or folder; nothing at the end, when the archive was whole and only zeros follow it.
  Result<std::optional<TarEntry>> next();
  // The next bytes of the entry, valid until the next call; empty at its end.
  Result<std::string_view> read();

 private:
  struct Free {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };

  static la_ssize_t on_block(archive* reader, void* self, const void** block);
  Fail failed(std::string_view what) const;
  Result<TarEntry> judge(archive_entry* entry);
  Result<void> check_end();

  GzipReader& gzip_;
  std::unique_ptr<archive, Free> archive_;
  std::optional<Error> source_error_;  // why the gzip reader failed: libarchive only knows that it did
  std::string name_;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_read_ = 0;
  bool opened_ = false;
};

// An entry's refusal: "The bundle is refused: entry "NAME" WHY."
Fail refused_entry(std::string_view name, std::string_view why);

}  // namespace leger
