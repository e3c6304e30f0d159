#pragma once

// How near an address is, which decides what a connection from it can prove (threats, facts 1 and 2). Any thread.

#include <cstdint>
#include <string>

namespace leger {

// An address as the kernel writes it, IPv4 ones mapped into IPv6 as IPv4. Text that is no address is none of the three.
bool is_loopback(const std::string& ip);
bool is_link_local(const std::string& ip);

enum class Owner { this_machine, another, unknown };
// Loopback and the addresses of this machine's interfaces are its own: the kernel is asked whence it would talk to the
// address, since the list of addresses needs a netlink socket, which the unit forbids. Unknown where it cannot be
// asked.
Owner owner_of_address(const std::string& ip);

// Whether exactly one connection of this machine has this local end, loopback address and port, whatever its other end.
// The same port may be used towards two destinations at once, and tailscaled tells only by address and port whose a
// connection is that it carries here. False where the kernel's list cannot be read. Reads a file: off the loop.
bool is_sole_connection(const std::string& ip, std::uint16_t port);

}  // namespace leger
