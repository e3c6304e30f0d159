#pragma once

// How far an upload has come, on one line of the terminal that is gone when the bar is. Nothing where there is no
// terminal. One thread.

#include <cstdint>
#include <string>

#include "cli/output.h"

namespace leger {

class ProgressBar {
 public:
  // `output` outlives the bar.
  ProgressBar(Output& output, std::string title) : output_(output), title_(std::move(title)) {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  // Draws anew only when a percent was gained.
  void show(std::uint64_t done_bytes, std::uint64_t all_bytes);

 private:
  Output& output_;
  std::string title_;
  std::uint64_t shown_percent_ = 101;  // more than there can be: nothing was shown yet
};

// `Uploading [##########          ]  50 %, 8.0 of 16.0 MiB`.
std::string progress_line(const std::string& title, std::uint64_t done_bytes, std::uint64_t all_bytes);

}  // namespace leger
