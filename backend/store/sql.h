#pragma once

// Literals put together by the compiler, for statements that share their columns. Pure.

#include <algorithm>
#include <array>
#include <cstddef>

namespace leger {

// The text of all parts, ended by a zero byte. As a constexpr variable of a namespace its data() is a literal to
// Connection::prepare().
template <std::size_t... Sizes>
consteval std::array<char, (Sizes + ...) - sizeof...(Sizes) + 1> joined(const char (&... parts)[Sizes]) {
  std::array<char, (Sizes + ...) - sizeof...(Sizes) + 1> text{};
  char* end = text.data();
  ((end = std::copy_n(parts, Sizes - 1, end)), ...);
  return text;
}

}  // namespace leger
