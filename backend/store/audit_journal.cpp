#include "backend/store/audit_journal.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <utility>

namespace leger {
namespace {

// A frame is u32 length ‖ u64 number ‖ the record's bytes ‖ u64 checksum of the number and the bytes. What an earlier
// turn left behind it has lower numbers.
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kAround = kLengthBytes + kNumberBytes + crypto_shorthash_BYTES;
constexpr std::uint64_t kMostBytes = 256 << 20;  // of one file: far more than is kept at once

// Tells what was cut short from what is whole; no protection, so that the key need not be one.
std::string checksum(std::string_view bytes) {
  constexpr std::string_view kKey = "leger/audit/jrnl";
  static_assert(kKey.size() == crypto_shorthash_KEYBYTES);
  std::string sum(crypto_shorthash_BYTES, '\0');
  crypto_shorthash(reinterpret_cast<unsigned char*>(sum.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size(), reinterpret_cast<const unsigned char*>(kKey.data()));
  return sum;
}

Result<std::string> read_all(int file, const std::string& path) {
  struct stat status{};
  if (fstat(file, &status) != 0) return Fail(system_error("cannot look at " + path, errno));
  if (std::cmp_greater(status.st_size, kMostBytes)) {
    return Fail({Code::unavailable, path + " is larger than it can have become.", "Move it away.", {}});
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(system_error("cannot read " + path, errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

// The whole frames at the start of `bytes`, by the numbers of their records.
std::map<std::uint64_t, std::string_view> whole_frames(std::string_view bytes) {
  std::map<std::uint64_t, std::string_view> found;
  while (bytes.size() >= kAround) {
    const std::uint64_t length = number_of(bytes.substr(0, kLengthBytes));
    if (bytes.size() - kAround < length) break;
    const std::string_view summed = bytes.substr(kLengthBytes, kNumberBytes + length);
    if (bytes.substr(kLengthBytes + summed.size(), crypto_shorthash_BYTES) != checksum(summed)) break;
    if (!audit_fields_of(summed.substr(kNumberBytes))) break;
    found.emplace(number_of(summed.substr(0, kNumberBytes)), bytes.substr(0, kAround + length));
    bytes.remove_prefix(kAround + length);
  }
  return found;
}

}  // namespace

std::optional<std::string_view> AuditJournal::next_record(std::string_view& frames) {
  if (frames.empty()) return std::nullopt;
  const std::uint64_t length = number_of(frames.substr(0, kLengthBytes));
  const std::string_view record = frames.substr(kLengthBytes + kNumberBytes, length);
  frames.remove_prefix(kAround + length);
  return record;
}

Result<std::unique_ptr<AuditJournal>> AuditJournal::open(const std::string& folder, std::uint64_t chained) {
  std::unique_ptr<AuditJournal> journal(new AuditJournal(chained));
  for (std::size_t i = 0; i < journal->files_.size(); ++i) {
    File& file = journal->files_.at(i);
    file.path = folder + "/audit-journal-" + std::to_string(i);
    if (auto opened = journal->open_file(file); !opened) return Fail(opened.error());
  }
  if (auto recovered = journal->recover(); !recovered) return Fail(recovered.error());
  return journal;
}

// In a folder that is ours alone (StateFolder).
Result<void> AuditJournal::open_file(File& file) {
  file.handle =
      FileHandle(::open(file.path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR));
  struct stat status{};
  if (!file.handle || fstat(file.handle.get(), &status) != 0) {
    return Fail(system_error("cannot open " + file.path, errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail({Code::unavailable, file.path + " is not a regular file.", "Move it away.", {}});
  }
  if (fchmod(file.handle.get(), S_IRUSR | S_IWUSR) == 0) return {};
  return Fail(system_error("cannot take the rights of others from " + file.path, errno));
}

Result<void> AuditJournal::recover() {
  std::array<std::string, 2> bytes;
  std::map<std::uint64_t, std::string_view> found;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    File& file = files_.at(i);
    auto read = read_all(file.handle.get(), file.path);
    if (!read) return Fail(read.error());
    bytes.at(i) = *std::move(read);
    auto frames = whole_frames(bytes.at(i));
    for (const auto& [number, frame] : frames) {
      file.end += frame.size();
      file.last = number;
    }
    found.merge(frames);
  }
  kept_.last = chained_;
  for (const auto& [number, frame] : found) {
    if (number <= chained_) continue;
    kept_.frames += frame;
    kept_.last = number;
  }
  // The file that was written last goes on: the other one can be emptied first.
  current_ = files_[0].last > files_[1].last ? 0 : 1;
  return {};
}

void AuditJournal::gather(const AuditRecord& record) {
  std::string& frames = gathered_.frames;
  if (frames.empty()) gathered_.last = kept_.last;
  const std::size_t start = frames.size();
  append_u32(frames, 0);
  append_u64(frames, ++gathered_.last);
  append_bytes(frames, record);
  std::string length;
  append_u32(length, static_cast<std::uint32_t>(frames.size() - start - kLengthBytes - kNumberBytes));
  frames.replace(start, kLengthBytes, length);
  frames += checksum(std::string_view(frames).substr(start + kLengthBytes));
}

Result<void> AuditJournal::write_out() {
  File& file = files_.at(current_);
  const std::string& frames = gathered_.frames;
  Result<void> written;
  for (std::size_t done = 0; written && done < frames.size();) {
    const ssize_t count =
        pwrite(file.handle.get(), frames.data() + done, frames.size() - done, static_cast<off_t>(file.end + done));
    if (count > 0) done += static_cast<std::size_t>(count);
    if (count < 0 && errno != EINTR) written = Fail(system_error("cannot write " + file.path, errno));
  }
  if (written && !frames.empty()) {
    kept_.frames += frames;
    kept_.last = file.last = gathered_.last;
    file.end += frames.size();
  } else if (!written) {
    // Where this fails as well the next record overwrites it.
    [[maybe_unused]] const int cut = ftruncate(file.handle.get(), static_cast<off_t>(file.end));
  }
  gathered_.frames.clear();
  return written;
}

AuditJournal::Batch AuditJournal::take() {
  Batch batch{.frames = std::exchange(kept_.frames, {}), .last = kept_.last};
  const std::size_t other = 1 - current_;
  if (files_.at(other).last <= chained_) {
    files_.at(other).end = 0;
    current_ = other;
  }
  return batch;
}

void AuditJournal::give_back(Batch batch) { kept_.frames.insert(0, batch.frames); }

void AuditJournal::chained(const Batch& batch) { chained_ = batch.last; }

Result<void> AuditJournal::empty() const {
  const File& other = files_.at(1 - current_);
  if (other.last > chained_ || ftruncate(other.handle.get(), 0) == 0) return {};
  return Fail(system_error("cannot empty " + other.path, errno));
}

}  // namespace leger
