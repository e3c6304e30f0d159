#pragma once

// The system's files for SQLite, but for the write-ahead log: what a transaction appends goes to the kernel in one
// write, instead of two for each page. For connections whose `cache_spill` is OFF: they write to the log in their
// COMMIT alone, and nothing is held beyond the page that ends it. What a spill left held would fail too late to be
// noticed, or reach the file after a ROLLBACK.
// Any thread; a file of it, and what it holds, belongs to the thread of its connection.

namespace leger {

// The name to give to sqlite3_open_v2(). Null, which means the system's own to it, where there is no memory left.
const char* gathered_log();

}  // namespace leger
