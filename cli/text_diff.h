#pragma once

// The difference of two texts, line by line, as `diff -u` writes it. Pure functions; time and memory are bounded for
// any input, and for inputs too different to be compared within the bound the changed part is one whole replacement.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

enum class LineChange { same, removed, added };

struct DiffLine {
  LineChange change;
  std::string_view text;  // with its newline; only the last line of a text may have none
};

// How far two texts are compared: the lines that are removed and added in all, and the steps that finding them takes.
struct DiffBounds {
  std::size_t changes = 2000;
  std::uint64_t steps = 20'000'000;
};

// The lines of both texts in order: without the added ones they are `from`, without the removed ones `to`. As few
// changes as there can be, within the bounds. The views are into the texts.
std::vector<DiffLine> diff_lines(std::string_view from, std::string_view to, DiffBounds bounds = {});

struct DiffSide {
  std::string name;       // behind `---` or `+++`, as it stands
  std::string_view text;  // its bytes
};

// Both names and the hunks, with three lines of context; the names alone where the texts are equal.
std::string unified_diff(const DiffSide& from, const DiffSide& to, DiffBounds bounds = {});

}  // namespace leger
