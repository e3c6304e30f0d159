#pragma once

// The system's files for SQLite, but for the write-ahead log: what a transaction appends goes to the kernel in one
// write, instead of two for each page. Nothing is held beyond the page that commits, nor beyond a sync, so that other
// connections and a crash find in the log what they would find without this.
// Any thread; a file of it, and what it holds, belongs to the thread of its connection.

namespace leger {

// The name to give to sqlite3_open_v2(). Null, which means the system's own to it, where there is no memory left.
const char* gathered_log();

}  // namespace leger
