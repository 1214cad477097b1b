/* One row in a transaction of its own, durable when it returns: WAL and synchronous=FULL. */
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>
#include "clock.h"

static sqlite3 *db;

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        errx(1, "%s: %s", sql, sqlite3_errmsg(db));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        errx(2, "usage: sqlite_insert DATABASE COUNT");
    int count = atoi(argv[2]);
    if (sqlite3_open(argv[1], &db) != SQLITE_OK)
        errx(1, "%s: %s", argv[1], sqlite3_errmsg(db));
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("CREATE TABLE IF NOT EXISTS tunnel (id INTEGER PRIMARY KEY, name TEXT NOT NULL, definition TEXT NOT NULL)");

    sqlite3_stmt *insert;
    if (sqlite3_prepare_v2(db, "INSERT INTO tunnel (name, definition) VALUES (?, ?)", -1, &insert, NULL))
        errx(1, "%s", sqlite3_errmsg(db));
    char definition[400];
    for (size_t i = 0; i < sizeof definition; i++)
        definition[i] = 'a' + i % 26;

    double start = now_us();
    for (int i = 0; i < count; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "tunnel%d", i);
        sqlite3_bind_text(insert, 1, name, length, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, definition, sizeof definition, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            errx(1, "%s", sqlite3_errmsg(db));
        sqlite3_reset(insert);
    }
    printf("us_per_insert %.1f\n", (now_us() - start) / count);
    sqlite3_finalize(insert);
    return sqlite3_close(db);
}
