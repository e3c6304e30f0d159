#include "daemon/byte_ranges.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// The weak comparison: `W/` counts for nothing. Our tag has no comma, so that one which is cut by a comma within its
// quotes cannot be ours.
bool lists_tag(std::string_view list, std::string_view etag) {
  for (std::string_view tag : split(list, ',')) {
    tag = without_blanks(tag);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
  }
  return false;
}

bool has_it(const Head& head, std::string_view etag) {
  return std::ranges::any_of(head.headers, [etag](const Header& header) {
    return equal_ignoring_case(header.name, "if-none-match") && lists_tag(header.value, etag);
  });
}

// A number of any length; what does not fit is more than any body has.
std::optional<std::uint64_t> position(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return parse_number(digits).value_or(kMost);
}

Selection suffix_of(std::string_view digits, std::uint64_t size) {
  const auto wanted = position(digits);
  if (!wanted) return Whole{};
  if (*wanted == 0 || size == 0) return Unsatisfiable{};
  const std::uint64_t length = std::min(*wanted, size);
  return ByteRange{size - length, length};
}

Selection range_of(std::string_view value, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equal_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return Whole{};
  const std::string_view range = without_blanks(value.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return Whole{};
  if (dash == 0) return suffix_of(range.substr(1), size);
  const auto first = position(range.substr(0, dash));
  const auto last = dash + 1 == range.size() ? kMost : position(range.substr(dash + 1));
  if (!first || !last || *last < *first) return Whole{};
  if (*first >= size) return Unsatisfiable{};
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace

Selection select_bytes(const Head& head, const std::string& etag, std::uint64_t size) {
  if (has_it(head, etag)) return NotModified{};
  const auto range = head.header("range");
  if (!range || head.method != Method::get) return Whole{};
  const auto condition = head.header("if-range");
  if (condition && without_blanks(*condition) != etag) return Whole{};
  const auto ranges = std::ranges::count_if(
      head.headers, [](const Header& header) { return equal_ignoring_case(header.name, "range"); });
  return ranges == 1 ? range_of(*range, size) : Whole{};
}

}  // namespace leger
