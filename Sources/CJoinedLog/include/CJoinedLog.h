#pragma once

/// Makes connections that are opened from now on hand their write-ahead logs to the system transaction by transaction.
/// SQLite itself writes a log's frames in two pieces each, which is where a small commit spends its system calls.
///
/// The file has the same bytes at each moment that matters: all of a transaction is written before it is synced, and
/// before anybody may look for it.
///
/// - Returns: SQLITE_OK, or why SQLite refused.
int joined_log_install(void);
