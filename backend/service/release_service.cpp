#include "backend/service/release_service.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "quadlets/bundle.h"

namespace leger {
namespace {

// What the pool gets at once: one part is on its way to the disk while the next one arrives.
constexpr std::size_t kPartBytes = 128 * 1024;
constexpr std::size_t kMostNamed = 100;  // missing bundles in the log of one start

struct Gathered {
  std::string bytes;
  bool is_last = false;
};

Task<Result<Gathered>> gather(const ReleaseService::NextPart& next_part) {
  Gathered gathered;
  while (gathered.bytes.size() < kPartBytes) {
    auto part = co_await next_part();
    if (!part) co_return Fail(part.error());
    if (part->empty()) {
      gathered.is_last = true;
      break;
    }
    gathered.bytes += *part;
  }
  co_return gathered;
}

Task<void> run_into(Loop& loop, std::function<Result<void>()> work, OneShot<Result<void>> done) {
  auto outcome = co_await offload(loop, std::move(work));
  done.set(std::move(outcome));
}

Result<void> append_last(IncomingBundle& incoming, const std::string& bytes,
                         const std::optional<std::string>& expected_sha256) {
  auto appended = incoming.append(bytes);
  if (!appended || !expected_sha256 || *expected_sha256 == incoming.sha256()) return appended;
  return Fail({Code::invalid_bundle,
               "The bundle's bytes have the SHA-256 " + incoming.sha256() + ", not the one that was announced.",
               "Upload it again.",
               {}});
}

Result<std::string> read_bytes(const FileHandle& file, std::uint64_t offset, std::uint64_t length) {
  std::string bytes(length, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Fail(system_error("The stored bundle cannot be read", got < 0 ? errno : EIO));
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

Fail no_such_file(const Release& release, const std::string& name) {
  return Fail(
      {Code::not_found,
       "Release " + std::to_string(release.version) + " has no file \"" + escape_controls(name.substr(0, 255)) + "\".",
       "See which it has: leger releases show " + std::to_string(release.version),
       dump(Json{{"files", release.files}})});
}

}  // namespace

ReleaseService::ReleaseService(Loop& loop, const Log& log, Releases& store, const AuditLog& audit,
                               ReleaseSettings settings)
    : loop_(loop),
      log_(log),
      store_(store),
      audit_(audit),
      keep_(settings.keep),
      tidy_every_ms_(settings.tidy_every_ms),
      folder_(std::move(settings.folder)) {}

Result<void> ReleaseService::prepare() {
  auto made = folder_.make();
  if (!made) return made;
  const auto recorded = store_.paths();
  if (!recorded) return Fail(recorded.error());
  const auto left = folder_.collect(*recorded);
  if (!left) return Fail(left.error());
  if (!left->orphans.empty()) {
    log_.info("bundles that no release has were removed", {{"COUNT", std::to_string(left->orphans.size())}});
  }
  for (std::size_t i = 0; i < std::min(left->missing.size(), kMostNamed); ++i) {
    log_.error("the bundle of a release is missing", {{"PATH", folder_.path_of(left->missing[i])}});
  }
  for (const Error& why : left->unmended) log_.error("a link to the newest release is wrong", {{"WHY", why.message}});
  return {};
}

// Work for the pool that is awaited later. It owns what it captures.
OneShot<Result<void>> ReleaseService::begin(std::function<Result<void>()> work) {
  const OneShot<Result<void>> done(loop_);
  loop_.spawn(run_into(loop_, std::move(work), done), [done](std::exception_ptr) {
    done.set(Fail({Code::internal_error, "legerd made a mistake with a bundle.", {}, {}}));
  });
  return done;
}

// All but the last part, which is given back.
Task<Result<std::string>> ReleaseService::receive(Incoming incoming, NextPart next_part) {
  std::optional<OneShot<Result<void>>> writing;
  while (true) {
    auto gathered = co_await gather(next_part);
    if (writing) {
      auto written = co_await *writing;
      if (!written) co_return Fail(written.error());
    }
    if (!gathered) co_return Fail(gathered.error());
    if (gathered->is_last) co_return std::move(gathered->bytes);
    writing = begin([incoming, bytes = std::move(gathered->bytes)] { return incoming->append(bytes); });
  }
}

// The disk works on the bundle while it is read. What is large is on it before its turn comes, so that nobody else's
// change waits for that.
Task<Result<Manifest>> ReleaseService::finish(Incoming incoming, std::string last,
                                              std::optional<std::string> expected_sha256) {
  const bool is_small = incoming->size() == 0;
  const auto bytes = std::make_shared<const std::string>(std::move(last));
  const auto append = [incoming, bytes, expected = std::move(expected_sha256)] {
    return append_last(*incoming, *bytes, expected);
  };
  if (is_small) {
    co_return co_await offload(loop_, [bytes, append]() -> Result<Manifest> {
      if (auto appended = append(); !appended) return Fail(appended.error());
      return check_bundle_bytes(*bytes);
    });
  }
  auto appended = co_await offload(loop_, append);
  if (!appended) co_return Fail(appended.error());
  const auto storing = begin([incoming] { return incoming->sync(); });
  auto manifest = co_await offload(loop_, [incoming] { return check_bundle(incoming->path()); });
  auto stored = co_await storing;
  if (!stored) co_return Fail(stored.error());
  co_return manifest;
}

Task<Result<AddOutcome>> ReleaseService::keep(Incoming incoming, Actor actor, NextPart next_part,
                                              std::optional<std::string> expected_sha256) {
  auto last = co_await receive(incoming, std::move(next_part));
  if (!last) co_return Fail(last.error());
  auto manifest = co_await finish(incoming, *std::move(last), std::move(expected_sha256));
  if (!manifest) co_return Fail(manifest.error());
  Release release{.id = random_uuid(),
                  .user_uuid = actor.user_uuid,
                  .deployment_name = manifest->deployment_name,
                  .r2_path = {},
                  .bundle_size_bytes = incoming->size(),
                  .sha256 = incoming->sha256(),
                  .created_at = rfc3339(loop_.clock().wall_seconds()),
                  .files = manifest->files,
                  .services = {},
                  .secrets_required = manifest->secrets_required};
  for (const ManifestService& service : manifest->services) release.services.push_back(service.name);
  AuditRecord audit = audit_.record(actor, "release.add", manifest->deployment_name);
  AddRelease add{.release = std::move(release), .keep = keep_, .audit = std::move(audit), .place = {}};
  co_return co_await record(std::move(incoming), std::move(add));
}

Task<Result<AddOutcome>> ReleaseService::record(Incoming incoming, AddRelease add) {
  auto placed = std::make_shared<std::string>();
  add.place = [this, incoming, placed](const Release& numbered) {
    auto done = folder_.place(*incoming, numbered.r2_path);
    if (done) incoming->placed();
    if (done) *placed = path_of(numbered);
    return done;
  };
  auto added = co_await store_.add(std::move(add));
  if (added || placed->empty()) co_return added;
  // The transaction failed after the file was placed. Its number is free again, and another upload may put its own file
  // there at any time: on the writer's thread it cannot do so between the look and the removal.
  co_await store_.between([incoming, placed] { incoming->remove_at(*placed); });
  co_return added;
}

Task<Result<AddOutcome>> ReleaseService::upload(Actor actor, NextPart next_part,
                                                std::optional<std::string> expected_sha256) {
  const auto incoming = std::make_shared<IncomingBundle>(folder_.path());
  std::string user_uuid = actor.user_uuid;
  auto added = co_await keep(incoming, std::move(actor), std::move(next_part), std::move(expected_sha256));
  if (added && added->created) {
    tidy_soon(user_uuid, added->dropped);
    co_return added;
  }
  co_await offload(loop_, [incoming] {
    incoming->discard();
    return true;
  });
  co_return added;
}

// After a commit: the files of releases that are gone go too, and latest.tar.gz follows. Nobody waits for it, since
// what was answered holds without it; of one user one at a time, so that the link ends at the newest.
void ReleaseService::tidy_soon(const std::string& user_uuid, const std::vector<std::string>& gone) {
  const auto [waiting, is_first] = untidy_.try_emplace(user_uuid);
  waiting->second.gone.insert(waiting->second.gone.end(), gone.begin(), gone.end());
  waiting->second.is_due = true;
  if (!is_first) return;
  loop_.spawn(tidy(user_uuid), [this](std::exception_ptr) { log_.error("tidying releases failed with an exception"); });
}

Task<void> ReleaseService::tidy(std::string user_uuid) {
  Untidy& untidy = untidy_[user_uuid];
  const std::uint64_t now = loop_.timers().now_ms();
  if (tidied_at_ms_ && now - *tidied_at_ms_ < tidy_every_ms_) {
    co_await sleep_for(loop_, tidy_every_ms_);
  } else {
    co_await NextTurn{loop_};  // the answer goes first
  }
  tidied_at_ms_ = loop_.timers().now_ms();
  while (std::exchange(untidy.is_due, false)) {
    const auto newest = store_.latest(user_uuid, {});
    if (!newest && newest.error().code != Code::release_not_found) break;  // the store's trouble is told elsewhere
    const std::uint64_t version = newest ? newest->version : 0;
    auto done = co_await offload(loop_, [this, &user_uuid, gone = std::exchange(untidy.gone, {}), version] {
      Result<void> outcome = folder_.point_latest(user_uuid, version);
      for (const std::string& r2_path : gone) {
        if (auto removed = folder_.remove(r2_path); !removed) outcome = removed;
      }
      return outcome;
    });
    if (!done) {
      log_.error("the folder of releases is not in order; the next start mends it", {{"WHY", done.error().message}});
    }
  }
  untidy_.erase(user_uuid);
}

// Why a bundle could not be read: most likely it was deleted between the look at its row and the opening.
Error ReleaseService::unreadable(const Release& release, const Error& why) {
  const auto still = store_.get(release.user_uuid, release.version);
  if (!still) return still.error();
  log_.error("a stored bundle cannot be used", {{"PATH", path_of(release)}, {"WHY", why.message}});
  return why;
}

Task<Result<BundlePart>> ReleaseService::read(Release release, std::uint64_t offset, std::uint64_t length) {
  auto part = co_await offload(loop_, [this, &release, offset, length]() -> Result<BundlePart> {
    auto file = folder_.open(release.r2_path, release.bundle_size_bytes);
    if (!file) return Fail(file.error());
    if (length > kFewBytes) return BundlePart{.bytes = {}, .file = *std::move(file)};
    auto bytes = read_bytes(*file, offset, length);
    if (!bytes) return Fail(bytes.error());
    return BundlePart{.bytes = *std::move(bytes), .file = {}};
  });
  if (!part) co_return Fail(unreadable(release, part.error()));
  co_return part;
}

Task<Result<std::string>> ReleaseService::read_text(Release release, std::string name) {
  using Found = Result<std::optional<std::string>>;
  auto found = co_await offload(loop_, [this, &release, &name]() -> Found {
    const auto file = folder_.open(release.r2_path, release.bundle_size_bytes);
    if (!file) return Fail(file.error());
    return read_bundle_file(path_of(release), name);
  });
  if (!found) co_return Fail(unreadable(release, found.error()));
  if (!*found) co_return no_such_file(release, name);
  if (is_utf8(**found)) co_return **std::move(found);
  co_return Fail({Code::invalid_request,
                  "The file \"" + name + "\" is not text.",
                  "Download the bundle: leger releases download " + std::to_string(release.version),
                  {}});
}

Task<Result<void>> ReleaseService::remove(Actor actor, std::uint64_t version) {
  AuditRecord audit = audit_.record(actor, "release.delete", {});
  auto removed = co_await store_.remove(actor.user_uuid, version, std::move(audit));
  if (!removed) co_return Fail(removed.error());
  tidy_soon(actor.user_uuid, {removed->r2_path});
  co_return Result<void>();
}

}  // namespace leger
