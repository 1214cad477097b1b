#pragma once
// <netinet/in.h> and <net/if.h> come first: the kernel's headers then leave out what they share.
#include <netinet/in.h>
#include <net/if.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>

// glibc shows these only under _GNU_SOURCE, which Swift's importer doesn't define.
extern int setns(int fd, int nstype);
extern int unshare(int flags);
extern const char *strerrorname_np(int errnum);
extern const char *strerrordesc_np(int errnum);

// errno is a macro and open is variadic: Swift imports neither.
static inline int cmnl_errno(void) { return errno; }
static inline int cmnl_open_own_network_namespace(void) {
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}
