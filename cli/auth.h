#pragma once

// leger auth status and leger auth logout. Neither prints a token. Each gives the exit code.

#include "cli/context.h"
#include "cli/target.h"

namespace leger {

// How things stand with that server: of a server over TCP by what is stored here, which asks no network. Exit 0 also
// without a sign-in.
int show_auth_status(const Target& target, Output& output, const Io& io);

// The same where no server is known.
int show_no_auth(Output& output, const Io& io);

// Ends the session at the server and forgets its token; of the Unix socket, the sign-ins that were fetched over it.
int auth_logout(const Target& target, Output& output, const Io& io);

}  // namespace leger
