internal import CMnl

/// The C library's allocator, which the whole process shares.
public enum Allocator {
    /// Keeps freed pages for the next time. A dump of a thousand links takes a few MiB for a moment; by default these
    /// go back to the kernel, and are faulted in again at the next dump, page by page (mallopt(3)).
    ///
    /// One arena for all threads: the second one would grow by a system call for each few pages (`grow_heap`), and the
    /// threads of this process seldom allocate at the same time.
    public static func keepFreedPages() {
        _ = mallopt(M_ARENA_MAX, 1)
        _ = mallopt(M_TOP_PAD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
    }
}
