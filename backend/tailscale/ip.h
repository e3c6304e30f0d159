#pragma once

// IP addresses as text have several forms; comparing them wants one. Pure.

#include <optional>
#include <string>

namespace leger {

// The usual form of an IPv4 or IPv6 address (`fd7a::1` for `FD7A:0::1`); nothing for any other text.
std::optional<std::string> canonical_ip(const std::string& text);

}  // namespace leger
