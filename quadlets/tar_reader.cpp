#include "quadlets/tar_reader.h"

#include <locale.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>

#include "quadlets/bundle_paths.h"

namespace leger {
namespace {

constexpr std::uint64_t kEndMarkBytes = 1024;  // two blocks of zeros end a tar archive

// libarchive reads names by the thread's locale, and in the C locale, which a daemon has, the owner's name of a pax
// header is a warning where it is not ASCII. While this lives, the thread is in UTF-8.
class Utf8Locale {
 public:
  Utf8Locale() : before_(uselocale(utf8())) {}
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() { uselocale(before_); }

 private:
  // Loaded once in a process: it would take longer than reading a small bundle.
  static locale_t utf8() {
    static const locale_t loaded = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return loaded;
  }

  locale_t before_;
};

// Why an entry of this kind is refused; empty for a plain file or folder.
std::string_view kind_problem(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return "is a hard link";
  if (archive_entry_symlink(entry) != nullptr) return "is a symbolic link";
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFLNK) return "is a symbolic link";
  if (type != AE_IFREG && type != AE_IFDIR) return "is a device, pipe or socket";
  if ((archive_entry_perm(entry) & (S_ISUID | S_ISGID)) != 0) return "is set-user-id or set-group-id";
  if (archive_entry_sparse_count(entry) != 0) return "is a sparse file";
  if (archive_entry_xattr_count(entry) != 0) return "has extended attributes";
  if (archive_entry_acl_types(entry) != 0) return "has an access control list";
  return {};
}

}  // namespace

Fail refused_entry(std::string_view name, std::string_view why) {
  return Fail({Code::invalid_bundle,
               "The bundle is refused: entry \"" + shown(name) + "\" " + std::string(why) + ".",
               "Pack plain files and folders with plain names, for example with `tar --format=ustar -czf`.",
               {}});
}

TarReader::TarReader(GzipReader& gzip) : gzip_(gzip), archive_(archive_read_new()) {
  if (!archive_) throw std::bad_alloc();
  archive_read_support_filter_none(archive_.get());
  archive_read_support_format_tar(archive_.get());
}

la_ssize_t TarReader::on_block(archive* reader, void* self, const void** block) {
  auto& tar = *static_cast<TarReader*>(self);
  const auto bytes = tar.gzip_.next();
  if (!bytes) {
    tar.source_error_ = bytes.error();
    archive_set_error(reader, EIO, "the bundle cannot be unpacked");
    return ARCHIVE_FATAL;
  }
  *block = bytes->data();
  return static_cast<la_ssize_t>(bytes->size());
}

Fail TarReader::failed(std::string_view what) const {
  if (source_error_) return Fail(*source_error_);
  const char* reason = archive_error_string(archive_.get());
  std::string why(what);
  if (reason != nullptr) why += " (" + shown(reason) + ")";
  if (!name_.empty()) why += ", at or after entry \"" + shown(name_) + "\"";
  return Fail({Code::invalid_bundle,
               "The bundle is refused: " + why + ".",
               "Pack it again, for example with `tar --format=ustar -czf`.",
               {}});
}

Result<TarEntry> TarReader::judge(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  name_ = name == nullptr ? "" : name;
  if (name == nullptr) return failed("an entry has a name that is not UTF-8");
  if (const std::string_view problem = kind_problem(entry); !problem.empty()) return refused_entry(name_, problem);
  const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
  const auto bytes = archive_entry_size(entry);
  if (bytes < 0 || (is_folder && bytes != 0)) return refused_entry(name_, "has a size that cannot be");
  bytes_ = static_cast<std::uint64_t>(bytes);
  bytes_read_ = 0;
  return TarEntry{name_, is_folder, bytes_};
}

Result<std::optional<TarEntry>> TarReader::next() {
  const Utf8Locale utf8;
  if (!opened_ && archive_read_open(archive_.get(), this, nullptr, on_block, nullptr) != ARCHIVE_OK) {
    return failed("it holds no tar archive");
  }
  opened_ = true;
  archive_entry* entry = nullptr;
  const int outcome = archive_read_next_header(archive_.get(), &entry);
  if (outcome == ARCHIVE_EOF) {
    if (auto end = check_end(); !end) return Fail(end.error());
    return std::nullopt;
  }
  // A mere warning means that libarchive guesses what is meant.
  if (outcome != ARCHIVE_OK) return failed("its tar archive is damaged or of a kind that Leger does not read");
  auto judged = judge(entry);
  if (!judged) return Fail(judged.error());
  return std::optional(std::move(*judged));
}

Result<std::string_view> TarReader::read() {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int outcome = archive_read_data_block(archive_.get(), &bytes, &size, &offset);
  if (outcome == ARCHIVE_EOF) {
    if (bytes_read_ != bytes_) return refused_entry(name_, "is a sparse file");
    return std::string_view();
  }
  if (outcome != ARCHIVE_OK) return failed("its tar archive is cut off or damaged");
  // The size was judged before; bytes beyond it would get past that.
  if (size > bytes_ - bytes_read_) return refused_entry(name_, "is a sparse file");
  bytes_read_ += size;
  return std::string_view(static_cast<const char*>(bytes), size);
}

// libarchive stops at the first end mark, or where the bytes end between two entries.
Result<void> TarReader::check_end() {
  while (true) {
    const auto block = gzip_.next();
    if (!block) return Fail(block.error());
    if (block->empty()) break;
  }
  const auto end_mark = static_cast<std::uint64_t>(archive_read_header_position(archive_.get()));
  const std::uint64_t after = gzip_.unpacked() - end_mark;
  if (after < kEndMarkBytes) return failed("its tar archive is cut off: the end mark is missing");
  if (gzip_.zeros_at_end() < after) return failed("something follows the end of its tar archive");
  return {};
}

}  // namespace leger
