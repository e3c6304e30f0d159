#pragma once

// A part of a file as the body of an answer: sendfile(2) on a plain connection, read and encrypted on a TLS one. A
// client that takes nothing for 30 s is given up. Loop thread.

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "daemon/client_connection.h"
#include "daemon/http_types.h"

namespace leger {

// Sends it all; false where the client is gone or stuck, an error where the file is not what it was. `connection` has
// nothing else to write meanwhile.
Task<Result<bool>> send_file(Loop& loop, ClientConnection& connection, FileBody body);

}  // namespace leger
