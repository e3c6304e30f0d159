#include "cli/progress_bar.h"

#include <algorithm>

namespace leger {
namespace {

std::uint64_t percent_of(std::uint64_t done, std::uint64_t all) {
  return all == 0 ? 100 : std::min(done, all) * 100 / all;
}

// `8.0`, in units of `unit` bytes.
std::string in_units(std::uint64_t bytes, std::uint64_t unit) {
  const std::uint64_t tenths = bytes * 10 / unit;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

std::string progress_line(const std::string& title, std::uint64_t done_bytes, std::uint64_t all_bytes) {
  constexpr std::uint64_t kWidth = 30;
  constexpr std::uint64_t kKiB = 1 << 10;
  constexpr std::uint64_t kMiB = 1 << 20;
  const std::uint64_t percent = percent_of(done_bytes, all_bytes);
  const std::uint64_t filled = percent * kWidth / 100;
  const std::uint64_t unit = all_bytes < kMiB ? kKiB : kMiB;
  std::string number = std::to_string(percent);
  number.insert(0, 3 - number.size(), ' ');
  return title + " [" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] " + number + " %, " +
         in_units(std::min(done_bytes, all_bytes), unit) + " of " + in_units(all_bytes, unit) +
         (unit == kKiB ? " KiB" : " MiB");
}

ProgressBar::~ProgressBar() {
  if (shown_percent_ <= 100) output_.progress("");
}

void ProgressBar::show(std::uint64_t done_bytes, std::uint64_t all_bytes) {
  const std::uint64_t percent = percent_of(done_bytes, all_bytes);
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  output_.progress(progress_line(title_, done_bytes, all_bytes));
}

}  // namespace leger
