#pragma once

// The schema of leger.db, one numbered step after the other; PRAGMA user_version holds the number of the last one done.
// A step that was released is never changed again: what comes later is a step of its own.

#include <string>

#include "backend/base/error.h"
#include "backend/store/statement.h"

namespace leger {

// The number of the newest step that this legerd knows.
int newest_schema();

// Brings the database in `path` from whatever it has to the newest schema, each step in one transaction of its own; an
// empty file becomes a Leger database in WAL mode. Refused before a byte is changed: what is no database, the database
// of another program, and a newer schema than newest_schema().
Result<void> migrate(Connection& connection, const std::string& path);

}  // namespace leger
