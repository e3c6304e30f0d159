#include "backend/service/key_rotation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/base/offload.h"

namespace leger {
namespace {

constexpr std::uint32_t kRowsAtOnce = 100;
constexpr std::uint64_t kLeastPatienceMs = 1000;
constexpr std::uint64_t kMostPatienceMs = 60'000;

// Marks a passage for as long as it takes.
class Hold {
 public:
  explicit Hold(bool& held) : held_(held) { held_ = true; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { held_ = false; }

 private:
  bool& held_;
};

Fail busy(std::string message) {
  return Fail({Code::conflict,
               std::move(message),
               "Try again when it is done; the log tells: journalctl --user -u legerd",
               {}});
}

Actor itself() { return {.user_uuid = {}, .source = "legerd", .request_id = {}}; }

}  // namespace

KeyRotation::KeyRotation(Loop& loop, const Log& log, KeyStore& store, Vault& vault, const AuditLog& audit,
                         std::uint64_t most_seals)
    : loop_(loop),
      log_(log),
      store_(store),
      vault_(vault),
      audit_(audit),
      most_seals_(most_seals),
      wake_(loop),
      patience_ms_(kLeastPatienceMs),
      under_way_(vault.data_key_ids().size() > 1) {}

Task<Result<std::uint32_t>> KeyRotation::rotate_data_key(Actor actor) {
  if (changing_) co_return busy("Another change of keys is being written.");
  if (under_way_) co_return busy("A rotation is under way: older values are still being encrypted anew.");
  const Hold hold(changing_);
  const auto stored = store_.wrapped_keys();
  if (!stored) co_return Fail(stored.error());
  std::uint32_t last = vault_.data_key_ids().back();
  for (const WrappedKey& key : *stored) last = std::max(last, key.key_id);
  const auto made = vault_.make_data_key(last + 1, loop_.clock());
  if (!made) co_return Fail(made.error());
  const std::uint32_t key_id = made->wrapped.key_id;
  const auto added =
      co_await store_.add(made->wrapped, audit_.record(actor, "key.rotate_data", std::to_string(key_id)));
  if (!added) co_return Fail(added.error());
  // On the loop, before any row can have it: who reads such a row later finds its key.
  vault_.use_data_key(*made);
  under_way_ = true;
  wake_.set(true);
  log_.info("a new data key is in use", {{"KEY", std::to_string(key_id)}});
  co_return key_id;
}

Task<Result<void>> KeyRotation::rotate_kek(Actor actor, std::string new_key_file) {
  if (changing_) co_return busy("Another change of keys is being written.");
  const Hold hold(changing_);
  auto kek = co_await offload(loop_, [this, new_key_file] { return new_key(vault_.places(), new_key_file); });
  if (!kek) co_return Fail(kek.error());
  const auto stored = store_.wrapped_keys();
  if (!stored) co_return Fail(stored.error());
  auto rewrapped = vault_.rewrap(*stored, *kek);
  if (!rewrapped) co_return Fail(rewrapped.error());
  auto written =
      co_await store_.rewrap(*std::move(rewrapped), new_key_file, audit_.record(actor, "key.rotate_kek", new_key_file));
  if (!written) co_return written;
  vault_.use_kek(*std::move(kek), std::move(new_key_file));
  tell_of_new_key_file();
  co_return Result<void>();
}

void KeyRotation::tell_of_new_key_file() const {
  const auto& file = vault_.new_key_file();
  if (!file) return;
  log_.warning("the key-encryption key is not in the place of the configuration: move it there before you remove one",
               {{"KEY_FILE", *file}, {"RUN", how_to_install(vault_.places(), *file)}});
}

void KeyRotation::note_seals(std::uint64_t seals) {
  // While older values are sealed anew, writes that began before the rotation may still tell of the key before.
  if (seals < most_seals_ || under_way_) return;
  worn_out_ = true;
  wake_.set(true);
}

Task<void> KeyRotation::run() {
  tell_of_new_key_file();
  while (!stopped_) {
    wake_ = OneShot<bool>(loop_);
    if (worn_out_) co_await begin_by_itself();
    if (under_way_) co_await finish();
    if (!stopped_ && !worn_out_) co_await wake_;
  }
}

void KeyRotation::stop() {
  stopped_ = true;
  wake_.set(true);
}

Task<void> KeyRotation::begin_by_itself() {
  worn_out_ = false;
  if (under_way_) co_return;  // somebody else has begun one meanwhile
  const auto begun = co_await rotate_data_key(itself());
  if (begun) {
    patience_ms_ = kLeastPatienceMs;
    co_return;
  }
  worn_out_ = true;
  co_await wait_after(begun.error());
}

Task<void> KeyRotation::finish() {
  const bool sealed = co_await seal_rows();
  if (!sealed) co_return;
  const bool dropped = co_await drop_keys();
  if (!dropped) co_return;
  under_way_ = false;
  log_.info("all that can be opened is encrypted with the newest data key",
            {{"KEY", std::to_string(vault_.data_key_ids().back())}});
}

// Goes on where it was after a failed write. False where it was stopped.
Task<bool> KeyRotation::seal_rows() {
  const std::uint32_t newest = vault_.data_key_ids().back();
  ResealPosition position;
  while (!stopped_) {
    auto part = co_await store_.reseal(
        newest, position, kRowsAtOnce,
        [this](const std::string& user_uuid, const StoredSecret& row) { return vault_.reseal(user_uuid, row); });
    if (!part) {
      co_await wait_after(part.error());
      continue;
    }
    patience_ms_ = kLeastPatienceMs;
    for (const Error& why : part->refused) {
      log_.error("a value cannot be encrypted anew and stays as it is", {{"WHY", why.message}, {"DO", why.action}});
    }
    if (!part->next) co_return true;
    position = *std::move(part->next);
    // Whatever has waited for this transaction is written before the next one.
    co_await NextTurn{loop_};
  }
  co_return false;
}

// The same for the keys that no row needs any more.
Task<bool> KeyRotation::drop_keys() {
  const std::uint32_t newest = vault_.data_key_ids().back();
  while (!stopped_) {
    const auto dropped =
        co_await store_.drop_unused(newest, audit_.record(itself(), "key.drop_older", std::to_string(newest)));
    const auto stored = store_.wrapped_keys();
    if (dropped && stored) {
      patience_ms_ = kLeastPatienceMs;
      vault_.keep_data_keys(*stored);
      co_return true;
    }
    co_await wait_after(dropped ? stored.error() : dropped.error());
  }
  co_return false;
}

// Longer each time, since what is wrong may last; it is reported once.
Task<void> KeyRotation::wait_after(Error error) {
  if (patience_ms_ == kLeastPatienceMs) {
    log_.warning("a rotation of keys waits, and is tried again", {{"WHY", error.message}});
  }
  wake_ = OneShot<bool>(loop_);
  Timer timer(loop_.timers(), [this] { wake_.set(true); });
  timer.set_in(std::exchange(patience_ms_, std::min(2 * patience_ms_, kMostPatienceMs)));
  if (!stopped_) co_await wake_;
}

}  // namespace leger
