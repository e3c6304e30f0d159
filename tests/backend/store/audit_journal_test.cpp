#include "backend/store/audit_journal.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

struct JournalStore : Store {
  JournalStore() { add_user(kAlice); }

  void gather(const std::string& object) { AuditStore(database()).gather(audit_record("secret.read", object)); }
  bool keep(const std::string& object) {
    gather(object);
    return AuditStore(database()).keep().has_value();
  }
  bool fold() {
    AuditStore audit(database());
    return run(audit.fold()).has_value();
  }
  // What is in the chain, one word a row, and that it holds.
  std::string chain() {
    CHECK(verify().first_bad == std::nullopt);
    Statement statement = database().reader().prepare("SELECT object FROM audit ORDER BY id");
    std::string objects;
    while (statement.step().value()) objects += statement.text(0) + " ";
    return objects;
  }
  std::string journal(int number) { return file("audit-journal-" + std::to_string(number)); }
  std::uintmax_t journalled() {
    return std::filesystem::file_size(journal(0)) + std::filesystem::file_size(journal(1));
  }
  // The one of the two that is not empty.
  std::string written() { return journal(std::filesystem::file_size(journal(0)) == 0 ? 1 : 0); }
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// As long as it lives no file can grow beyond so many bytes.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;
  ~FileLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("what is kept goes into the chain in its order, once, and the journal is empty then") {
  JournalStore store;
  store.gather("a");
  store.gather("b");
  CHECK(store.journalled() == 0);
  REQUIRE(store.keep("c"));
  CHECK(store.journalled() > 0);
  CHECK(store.chain().empty());
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c ");
  CHECK(store.journalled() == 0);
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c ");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(store.keep(std::to_string(i)));
    REQUIRE(store.fold());
  }
  CHECK(store.chain() == "a b c 0 1 2 3 4 ");
  CHECK(store.journalled() == 0);
}

TEST_CASE("what was kept by a process that is gone is there, and what was only gathered is not") {
  JournalStore store;
  REQUIRE(store.keep("a"));
  REQUIRE(store.fold());
  REQUIRE(store.keep("b"));
  REQUIRE(store.keep("c"));
  store.gather("lost");
  store.close();
  store.open();
  CHECK(store.chain() == "a ");
  REQUIRE(store.keep("d"));
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c d ");
  REQUIRE(store.keep("e"));
  store.close();
  store.open();
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c d e ");
  CHECK(store.journalled() == 0);
}

TEST_CASE("what is in the chain already is not put there again, though the file still holds it") {
  JournalStore store;
  REQUIRE(store.keep("a"));
  REQUIRE(store.keep("b"));
  const std::string path = store.written();
  const std::string bytes = read_file(path);
  REQUIRE(store.fold());
  store.close();
  write_file(path, bytes);  // as if the process had ended between the commit and the emptying
  store.open();
  REQUIRE(store.keep("c"));
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c ");
}

TEST_CASE("a journal that was cut anywhere gives its whole records, in order") {
  JournalStore store;
  REQUIRE(store.keep("a"));
  const std::string path = store.written();
  const std::size_t one = read_file(path).size();
  REQUIRE(store.keep("b"));
  const std::string bytes = read_file(path);
  store.close();
  std::string expected;
  for (std::size_t size = 0; size <= bytes.size(); size += 7) {
    write_file(path, bytes.substr(0, size));
    auto journal = AuditJournal::open(std::filesystem::path(path).parent_path(), 0);
    REQUIRE(journal.has_value());
    std::size_t records = 0;
    const AuditJournal::Batch batch = (*journal)->take();
    for (std::string_view frames = batch.frames; AuditJournal::next_record(frames);) ++records;
    CHECK(records == size / one);
    CHECK(batch.last == records);
  }
}

TEST_CASE("a journal of any bytes is no reason not to start, and what follows the damage is not believed") {
  JournalStore store;
  REQUIRE(store.keep("a"));
  REQUIRE(store.keep("b"));
  const std::string path = store.written();
  const std::string bytes = read_file(path);
  store.close();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    write_file(path, flipped);
    auto journal = AuditJournal::open(std::filesystem::path(path).parent_path(), 0);
    REQUIRE(journal.has_value());
    const std::string frames = (*journal)->take().frames;
    CHECK(frames == (at < bytes.size() / 2 ? "" : bytes.substr(0, bytes.size() / 2)));
  }
}

TEST_CASE("records that the journal cannot take are refused together, and leave nothing") {
  JournalStore store;
  REQUIRE(store.keep("a"));
  const std::uintmax_t before = store.journalled();
  {
    const FileLimit limit(before + 100);
    store.gather("b");
    CHECK_FALSE(store.keep("c"));
    CHECK(store.journalled() == before);
  }
  REQUIRE(store.keep("d"));
  REQUIRE(store.fold());
  CHECK(store.chain() == "a d ");
}

TEST_CASE("what the chain does not take stays kept, in its order, with what came meanwhile") {
  JournalStore store;
  REQUIRE(store.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END"));
  for (const char* object : {"a", "b", "c"}) {
    REQUIRE(store.keep(object));
    CHECK_FALSE(store.fold());
  }
  CHECK(store.chain().empty());
  store.close();
  store.open();
  REQUIRE(store.keep("d"));
  CHECK_FALSE(store.fold());
  REQUIRE(store.execute("DROP TRIGGER broken"));
  REQUIRE(store.keep("e"));
  REQUIRE(store.fold());
  CHECK(store.chain() == "a b c d e ");
  CHECK(store.keep("f"));
  REQUIRE(store.fold());
  CHECK(store.journalled() == 0);
}

TEST_CASE("the journal's files are for their owner alone, and nothing else may stand in their place") {
  JournalStore store;
  const std::string path = store.journal(1);
  store.close();
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  store.open();
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  store.close();
  std::filesystem::remove(path);
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const auto folder = std::filesystem::path(path).parent_path().string();
  CHECK_FALSE(AuditJournal::open(folder, 0).has_value());
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/null", path);
  CHECK_FALSE(AuditJournal::open(folder, 0).has_value());
}

TEST_CASE("the bytes of a record are read back as they were, and no others are taken for a record") {
  AuditRecord record = audit_record("secret.read", "x");
  record.version = 7;
  record.count = 3;
  std::string bytes;
  append_bytes(bytes, record);
  const auto fields = audit_fields_of(bytes);
  REQUIRE(fields.has_value());
  CHECK(fields->texts[0] == record.time);
  CHECK(fields->texts[6] == record.request_id);
  CHECK(fields->version == std::optional<std::uint64_t>(7));
  CHECK(fields->count == 3);
  CHECK_FALSE(audit_fields_of(bytes + "x").has_value());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(audit_fields_of(std::string_view(bytes).substr(0, size)).has_value());
  }
}
