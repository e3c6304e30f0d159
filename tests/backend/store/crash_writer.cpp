// crash_writer STATE: writes secrets with many writers at once, puts a read of each on record, and says each answer on
// standard output, until it is killed.

#define DOCTEST_CONFIG_IMPLEMENT  // the fixture speaks doctest; this program has a main of its own

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/backend/store/crash_values.h"

namespace leger::test {
namespace {

bool say(const std::string& what, int writer, std::uint64_t version) {
  const std::string line = what + " " + std::to_string(writer) + " " + std::to_string(version) + "\n";
  return write(STDOUT_FILENO, line.data(), line.size()) > 0;
}

Task<void> write_forever(SqliteSecrets& secrets, AuditStore& audit, int writer) {
  const std::string name = "s" + std::to_string(writer);
  while (true) {
    PutSecret put{.user_uuid = kAlice, .name = name, .now = kNow, .audit = audit_record("secret.set", name)};
    put.seal = [writer](std::uint64_t version) -> Result<SealedValue> { return value_for(writer, version); };
    const auto outcome = co_await secrets.put(std::move(put));
    if (!outcome || !say("ack", writer, outcome->info.version)) co_return;
    AuditRecord read = audit_record("secret.read", name);
    read.version = outcome->info.version;
    audit.gather(std::move(read));
    if (!audit.keep() || !say("read", writer, outcome->info.version)) co_return;
    if (writer != 0) continue;
    const auto folded = co_await audit.fold();
    if (!folded) co_return;
  }
}

}  // namespace
}  // namespace leger::test

int main(int count, char** arguments) {
  using namespace leger;
  if (count != 2) return 2;
  const SystemClock clock;
  Loop loop(clock);
  auto database = Database::open(loop, arguments[1]).value();
  SqliteSecrets secrets(*database);
  AuditStore audit(*database);
  for (int writer = 0; writer < test::kWriters; ++writer) {
    loop.spawn(test::write_forever(secrets, audit, writer), [](std::exception_ptr) { std::abort(); });
  }
  loop.run();
  return 0;
}
