#pragma once

// Where records of the audit are with the kernel before they are in its chain, at the cost of one write to a file for
// all of a turn. Two files take turns: one is written while what the other holds goes into the chain, and is emptied
// then. Knows no SQL. Owned by Database; loop thread, but for empty().

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"
#include "backend/store/audit_record.h"

namespace leger {

class AuditJournal {
 public:
  // Records that follow one another, as they are in the file, and the last one's number. They are counted from 1, and
  // no number comes again.
  struct Batch {
    std::string frames;
    std::uint64_t last = 0;
  };
  // Takes the first record off `frames`: its bytes; nothing where none is left.
  static std::optional<std::string_view> next_record(std::string_view& frames);

  // Opens audit-journal-0 and -1 in `folder`, made (0600) where they are not there. What they hold beyond the number
  // `chained`, up to the first record that is not whole, a process that was killed has left: it is kept.
  static Result<std::unique_ptr<AuditJournal>> open(const std::string& folder, std::uint64_t chained);

  // Gathers a record for the next write_out().
  void gather(const AuditRecord& record);
  // One write for all that was gathered: it survives the end of this process. Where it fails none of them is kept.
  Result<void> write_out();

  // Bytes that are kept and nobody has taken.
  std::size_t kept() const { return kept_.frames.size(); }

  // All that are kept, to be put into the chain; one batch at a time, which ends with chained() or give_back().
  Batch take();
  void give_back(Batch batch);
  void chained(const Batch& batch);
  // Empties the file that nothing of is needed any more, after chained() and before the next take(). Any thread.
  Result<void> empty() const;

 private:
  struct File {
    FileHandle handle;
    std::string path;
    std::uint64_t end = 0;   // where the next record goes
    std::uint64_t last = 0;  // the number of the last record in it
  };

  explicit AuditJournal(std::uint64_t chained) : chained_(chained) {}
  static Result<void> open_file(File& file);
  Result<void> recover();

  std::array<File, 2> files_;
  std::size_t current_ = 0;    // the file that is written
  std::uint64_t chained_ = 0;  // all up to this number are in the chain
  Batch kept_;
  Batch gathered_;
};

}  // namespace leger
