internal import Glibc

/// How the C library's allocator behaves, for all of the process.
enum Memory {
    /// A look at a thousand links takes a few MiB and gives them back. By default the allocator then returns the pages
    /// to the kernel each time, only to fault them in again at the next look; and it keeps an arena for each thread.
    static func keepFreedPages() {
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_TRIM_THRESHOLD, 8 << 20)
        mallopt(M_MMAP_THRESHOLD, 4 << 20)
    }
}
