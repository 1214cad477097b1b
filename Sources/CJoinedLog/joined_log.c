/* A VFS (sqlite.org/vfs.html) that is the system's own but for write-ahead logs. */
#include "CJoinedLog.h"

#include <sqlite3.h>
#include <string.h>

/* The head of a frame; at byte 4 it has the database's size after a commit, 0 where the transaction goes on
 * (sqlite.org/fileformat2.html#walformat). No other write to a log is as short. The system's VFS takes less than 128 KiB
 * at once. */
enum { FRAME_HEAD = 24, CAPACITY = 31 * (FRAME_HEAD + 4096) };

struct log {
    sqlite3_file base;
    sqlite3_file *file; /* the system's, in memory right after this one */
    char *waiting;
    int size;
    sqlite3_int64 start; /* where in the file it belongs */
    int ends_transaction; /* the last head said so */
};

static sqlite3_vfs *system_vfs;

static sqlite3_file *file_of(sqlite3_file *base)
{
    return ((struct log *)base)->file;
}

static int write_waiting(struct log *log)
{
    int size = log->size;
    log->size = 0;
    return size ? log->file->pMethods->xWrite(log->file, log->waiting, size, log->start) : SQLITE_OK;
}

static int log_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 offset)
{
    struct log *log = (struct log *)base;
    if (size == FRAME_HEAD)
        log->ends_transaction = memcmp((const char *)bytes + 4, "\0\0\0\0", 4) != 0;
    if (log->size && (offset != log->start + log->size || size > CAPACITY - log->size)) {
        int error = write_waiting(log);
        if (error)
            return error;
    }
    if (size > CAPACITY)
        return log->file->pMethods->xWrite(log->file, bytes, size, offset);
    if (!log->size)
        log->start = offset;
    memcpy(log->waiting + log->size, bytes, size);
    log->size += size;
    return log->ends_transaction && size != FRAME_HEAD ? write_waiting(log) : SQLITE_OK;
}

static int log_close(sqlite3_file *base)
{
    struct log *log = (struct log *)base;
    int error = write_waiting(log), closing = log->file->pMethods->xClose(log->file);
    sqlite3_free(log->waiting);
    return error ? error : closing;
}

/* What needs the file as it should be. */
static int log_read(sqlite3_file *base, void *bytes, int size, sqlite3_int64 offset)
{
    struct log *log = (struct log *)base;
    int error = write_waiting(log);
    return error ? error : log->file->pMethods->xRead(log->file, bytes, size, offset);
}

static int log_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct log *log = (struct log *)base;
    int error = write_waiting(log);
    return error ? error : log->file->pMethods->xTruncate(log->file, size);
}

static int log_sync(sqlite3_file *base, int flags)
{
    struct log *log = (struct log *)base;
    int error = write_waiting(log);
    return error ? error : log->file->pMethods->xSync(log->file, flags);
}

static int log_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct log *log = (struct log *)base;
    int error = write_waiting(log);
    return error ? error : log->file->pMethods->xFileSize(log->file, size);
}

/* What doesn't. */
static int log_lock(sqlite3_file *base, int level)
{
    return file_of(base)->pMethods->xLock(file_of(base), level);
}

static int log_unlock(sqlite3_file *base, int level)
{
    return file_of(base)->pMethods->xUnlock(file_of(base), level);
}

static int log_check_lock(sqlite3_file *base, int *result)
{
    return file_of(base)->pMethods->xCheckReservedLock(file_of(base), result);
}

static int log_control(sqlite3_file *base, int operation, void *argument)
{
    return file_of(base)->pMethods->xFileControl(file_of(base), operation, argument);
}

static int log_sector_size(sqlite3_file *base)
{
    return file_of(base)->pMethods->xSectorSize(file_of(base));
}

static int log_characteristics(sqlite3_file *base)
{
    return file_of(base)->pMethods->xDeviceCharacteristics(file_of(base));
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct log *log = (struct log *)base;
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return system_vfs->xOpen(system_vfs, name, base, flags, out_flags);
    memset(log, 0, sizeof *log);
    log->file = (sqlite3_file *)(log + 1);
    log->waiting = sqlite3_malloc(CAPACITY);
    if (!log->waiting)
        return SQLITE_NOMEM;
    int error = system_vfs->xOpen(system_vfs, name, log->file, flags, out_flags);
    if (error)
        sqlite3_free(log->waiting);
    else
        log->base.pMethods = &log_methods;
    return error;
}

int joined_log_install(void)
{
    static sqlite3_vfs vfs;
    int error = sqlite3_initialize();
    if (error || system_vfs)
        return error;
    /* The other functions of the system's don't mind whose they are called as. */
    sqlite3_vfs *original = sqlite3_vfs_find(0);
    vfs = *original;
    vfs.pNext = 0;
    vfs.zName = "tunneld";
    vfs.szOsFile += sizeof(struct log);
    vfs.xOpen = open_file;
    system_vfs = original;
    return sqlite3_vfs_register(&vfs, 1);
}
