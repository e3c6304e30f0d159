// crash_writer STATE: writes secrets with many writers at once and says each answer on standard output, until it is
// killed.

#define DOCTEST_CONFIG_IMPLEMENT  // the fixture speaks doctest; this program has a main of its own

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/backend/store/crash_values.h"

namespace leger::test {
namespace {

Task<void> write_forever(SqliteSecrets& secrets, int writer) {
  while (true) {
    PutSecret put{.user_uuid = kAlice, .name = "s" + std::to_string(writer), .now = kNow, .if_version = {}, .seal = {}};
    put.seal = [writer](std::uint64_t version) -> Result<SealedValue> { return value_for(writer, version); };
    const auto outcome = co_await secrets.put(std::move(put));
    if (!outcome) co_return;
    const std::string line = "ack " + std::to_string(writer) + " " + std::to_string(outcome->info.version) + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0) co_return;
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
  for (int writer = 0; writer < test::kWriters; ++writer) {
    loop.spawn(test::write_forever(secrets, writer), [](std::exception_ptr) { std::abort(); });
  }
  loop.run();
  return 0;
}
