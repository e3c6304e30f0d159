#include "systemd/journal.h"

#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace leger {
namespace {

constexpr std::uint64_t kMicroseconds = 1'000'000;
constexpr std::string_view kField = "MESSAGE=";

using Journal = std::unique_ptr<sd_journal, decltype(&sd_journal_close)>;

void match(sd_journal* journal, const std::string& text) { sd_journal_add_match(journal, text.data(), text.size()); }

Journal open_journal(const std::string& unit) {
  sd_journal* opened = nullptr;
  if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return {nullptr, sd_journal_close};
  Journal journal(opened, sd_journal_close);
  const std::string uid = "_UID=" + std::to_string(getuid());
  for (const char* field : {"_SYSTEMD_USER_UNIT=", "USER_UNIT="}) {
    match(opened, uid);
    match(opened, field + unit);
    sd_journal_add_disjunction(opened);
  }
  return journal;
}

}  // namespace

std::vector<std::string> read_journal(const JournalQuery& query) {
  std::vector<std::string> lines;
  const Journal journal = open_journal(query.unit);
  if (!journal || sd_journal_seek_tail(journal.get()) < 0) return lines;
  const std::uint64_t since = static_cast<std::uint64_t>(std::max<std::int64_t>(query.since, 0)) * kMicroseconds;
  std::size_t bytes = 0;
  while (lines.size() < query.lines && sd_journal_previous(journal.get()) > 0) {
    std::uint64_t time = 0;
    if (sd_journal_get_realtime_usec(journal.get(), &time) < 0 || time < since) break;
    const void* data = nullptr;
    std::size_t length = 0;
    // Podman notes each create, start and removal of a container beside what the container says, which they would crowd
    // out.
    if (sd_journal_get_data(journal.get(), "PODMAN_EVENT", &data, &length) >= 0) continue;
    if (sd_journal_get_data(journal.get(), "MESSAGE", &data, &length) < 0 || length < kField.size()) continue;
    std::string_view line(static_cast<const char*>(data), length);
    line.remove_prefix(kField.size());
    while (line.ends_with('\n')) line.remove_suffix(1);  // conmon keeps them
    bytes += line.size();
    if (bytes > query.bytes) break;
    lines.emplace_back(line);
  }
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace leger
