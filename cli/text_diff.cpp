#include "cli/text_diff.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

namespace leger {
namespace {

constexpr std::size_t kContext = 3;

using Ids = std::span<const std::uint32_t>;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::size_t length = newline == std::string_view::npos ? text.size() : newline + 1;
    lines.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines;
}

// Equal lines get the same number, so that comparing them is one step however long they are.
class Numbers {
 public:
  std::vector<std::uint32_t> of(const std::vector<std::string_view>& lines) {
    std::vector<std::uint32_t> ids;
    ids.reserve(lines.size());
    for (const std::string_view line : lines) {
      ids.push_back(ids_.try_emplace(line, static_cast<std::uint32_t>(ids_.size())).first->second);
    }
    return ids;
  }

 private:
  std::unordered_map<std::string_view, std::uint32_t> ids_;
};

// Which lines of both sides are in the other one as well, in order.
struct Common {
  std::vector<bool> from;
  std::vector<bool> to;
};

// E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), forward only. A point (x, y) means that x lines
// of `from` and y of `to` are behind; its diagonal is x - y. Of each number of changes the farthest points are kept,
// to walk back over them. Both sides have lines.
class Search {
 public:
  Search(Ids from, Ids to, DiffBounds bounds)
      : from_(from), to_(to), bounds_(bounds), x_end_(std::ssize(from)), y_end_(std::ssize(to)) {}

  // Nothing where the bounds are reached first.
  std::optional<Common> run() {
    const auto most = static_cast<std::ptrdiff_t>(std::min(bounds_.changes, from_.size() + to_.size()));
    for (std::ptrdiff_t changes = 0; changes <= most; ++changes) {
      farthest_.emplace_back(static_cast<std::size_t>(changes) + 1, -1);
      for (std::ptrdiff_t diagonal = -changes; diagonal <= changes; diagonal += 2) {
        if (diagonal < -y_end_ || diagonal > x_end_) continue;
        const std::ptrdiff_t x = slide(begin_of(changes, diagonal), diagonal);
        farthest_.back()[index(changes, diagonal)] = static_cast<std::int32_t>(x);
        if (x == x_end_ && x - diagonal == y_end_) return walk_back(changes);
      }
      if (steps_ > bounds_.steps) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  static std::size_t index(std::ptrdiff_t changes, std::ptrdiff_t diagonal) {
    return static_cast<std::size_t>((diagonal + changes) / 2);
  }

  // How many lines of `from` are behind after so many changes on that diagonal; -1 where it cannot be reached.
  std::ptrdiff_t reached(std::ptrdiff_t changes, std::ptrdiff_t diagonal) const {
    if (diagonal < -changes || diagonal > changes) return -1;
    return farthest_[static_cast<std::size_t>(changes)][index(changes, diagonal)];
  }

  // Whether the last of `changes` added a line, coming from the diagonal above, rather than removed one.
  bool is_added(std::ptrdiff_t changes, std::ptrdiff_t diagonal) const {
    return reached(changes - 1, diagonal - 1) < reached(changes - 1, diagonal + 1);
  }

  std::ptrdiff_t begin_of(std::ptrdiff_t changes, std::ptrdiff_t diagonal) const {
    if (changes == 0) return 0;
    return is_added(changes, diagonal) ? reached(changes - 1, diagonal + 1) : reached(changes - 1, diagonal - 1) + 1;
  }

  std::ptrdiff_t slide(std::ptrdiff_t x, std::ptrdiff_t diagonal) {
    const std::ptrdiff_t begin = x;
    while (x < x_end_ && x - diagonal < y_end_ &&
           from_[static_cast<std::size_t>(x)] == to_[static_cast<std::size_t>(x - diagonal)]) {
      ++x;
    }
    steps_ += static_cast<std::uint64_t>(x - begin) + 1;
    return x;
  }

  Common walk_back(std::ptrdiff_t changes) const {
    Common common{std::vector<bool>(from_.size(), true), std::vector<bool>(to_.size(), true)};
    std::ptrdiff_t diagonal = x_end_ - y_end_;
    for (; changes > 0; --changes) {
      const bool added = is_added(changes, diagonal);
      diagonal += added ? 1 : -1;
      const std::ptrdiff_t x = reached(changes - 1, diagonal);
      if (added) {
        common.to[static_cast<std::size_t>(x - diagonal)] = false;
      } else {
        common.from[static_cast<std::size_t>(x)] = false;
      }
    }
    return common;
  }

  Ids from_;
  Ids to_;
  DiffBounds bounds_;
  std::ptrdiff_t x_end_;
  std::ptrdiff_t y_end_;
  std::vector<std::vector<std::int32_t>> farthest_;  // of each number of changes: by diagonal, every second one
  std::uint64_t steps_ = 0;
};

Common compare(Ids from, Ids to, DiffBounds bounds) {
  if (!from.empty() && !to.empty()) {
    if (auto common = Search(from, to, bounds).run()) return *std::move(common);
  }
  return {std::vector<bool>(from.size(), false), std::vector<bool>(to.size(), false)};
}

// A line's place in both texts is where it stands, as the numbers of a hunk want it.
struct Place {
  std::size_t from = 0;
  std::size_t to = 0;
};

void pass(Place& place, LineChange change) {
  if (change != LineChange::added) ++place.from;
  if (change != LineChange::removed) ++place.to;
}

// `3,4`: the first line and how many, as `diff -u` shortens it; of no lines the one before them.
std::string range(std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  const std::string first = std::to_string(count == 0 ? begin : begin + 1);
  return count == 1 ? first : first + "," + std::to_string(count);
}

void append_line(std::string& out, const DiffLine& line) {
  out += line.change == LineChange::same ? ' ' : line.change == LineChange::removed ? '-' : '+';
  out += line.text;
  if (!line.text.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

// The end of the hunk whose first change is at `first`: behind its last change and the context of that.
std::size_t end_of_hunk(const std::vector<DiffLine>& lines, std::size_t first) {
  std::size_t end = first + 1;  // behind the last change
  for (std::size_t i = end; i < lines.size() && i - end <= 2 * kContext; ++i) {
    if (lines[i].change != LineChange::same) end = i + 1;
  }
  return std::min(end + kContext, lines.size());
}

}  // namespace

std::vector<DiffLine> diff_lines(std::string_view from, std::string_view to, DiffBounds bounds) {
  const auto old_lines = lines_of(from);
  const auto new_lines = lines_of(to);
  Numbers numbers;
  const auto old_ids = numbers.of(old_lines);
  const auto new_ids = numbers.of(new_lines);
  // What both begin and end with needs no search.
  const auto head = static_cast<std::size_t>(std::ranges::mismatch(old_ids, new_ids).in1 - old_ids.begin());
  const std::size_t shorter = std::min(old_ids.size(), new_ids.size()) - head;
  std::size_t tail = 0;
  while (tail < shorter && old_ids[old_ids.size() - 1 - tail] == new_ids[new_ids.size() - 1 - tail]) ++tail;
  const Ids old_middle = Ids(old_ids).subspan(head, old_ids.size() - head - tail);
  const Ids new_middle = Ids(new_ids).subspan(head, new_ids.size() - head - tail);
  const Common common = compare(old_middle, new_middle, bounds);

  std::vector<DiffLine> lines;
  lines.reserve(old_lines.size() + new_lines.size());
  for (std::size_t i = 0; i < head; ++i) lines.push_back({LineChange::same, old_lines[i]});
  std::size_t x = 0;
  std::size_t y = 0;
  while (x < old_middle.size() || y < new_middle.size()) {
    if (x < old_middle.size() && !common.from[x]) {
      lines.push_back({LineChange::removed, old_lines[head + x++]});
    } else if (y < new_middle.size() && !common.to[y]) {
      lines.push_back({LineChange::added, new_lines[head + y++]});
    } else {
      lines.push_back({LineChange::same, old_lines[head + x]});
      ++x;
      ++y;
    }
  }
  for (std::size_t i = old_lines.size() - tail; i < old_lines.size(); ++i) {
    lines.push_back({LineChange::same, old_lines[i]});
  }
  return lines;
}

std::string unified_diff(const DiffSide& from, const DiffSide& to, DiffBounds bounds) {
  const auto lines = diff_lines(from.text, to.text, bounds);
  std::string out = "--- " + from.name + "\n+++ " + to.name + "\n";
  Place place;
  std::size_t next = 0;  // the first line that is in no hunk yet
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].change == LineChange::same) continue;
    const std::size_t begin = std::max(next, i - std::min(i, kContext));
    const std::size_t end = end_of_hunk(lines, i);
    while (next < begin) pass(place, lines[next++].change);
    const Place first = place;
    while (next < end) pass(place, lines[next++].change);
    out += "@@ -" + range(first.from, place.from) + " +" + range(first.to, place.to) + " @@\n";
    for (std::size_t line = begin; line < end; ++line) append_line(out, lines[line]);
    i = end - 1;
  }
  return out;
}

}  // namespace leger
