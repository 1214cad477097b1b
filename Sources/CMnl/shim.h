#pragma once
// <netinet/in.h> and <net/if.h> come first: the kernel's headers then leave out what they share.
#include <netinet/in.h>
#include <net/if.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>

// glibc shows these only under _GNU_SOURCE, which Swift's importer doesn't define.
extern int setns(int fd, int nstype);
extern int unshare(int flags);
extern const char *strerrorname_np(int errnum);
extern const char *strerrordesc_np(int errnum);
struct mmsghdr;
struct timespec;
extern int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout);

// errno is a macro and open is variadic: Swift imports neither.
static inline int cmnl_errno(void) { return errno; }
static inline int cmnl_open_own_network_namespace(void) {
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/// How many datagrams one call of cmnl_receive_many takes at most.
enum { CMNL_SLOTS = 40 };

/// recvmmsg(2) without waiting: each datagram into its own slot of `buffer`, which has `slots` of them, CMNL_SLOTS at
/// most. A length larger than the slot says that the datagram was cut.
static inline int cmnl_receive_many(int fd, void *buffer, size_t slot, int slots, uint32_t lengths[CMNL_SLOTS])
{
    struct iovec vectors[CMNL_SLOTS];
    // struct mmsghdr
    struct { struct msghdr msg_hdr; unsigned int msg_len; } messages[CMNL_SLOTS] = {0};
    for (int i = 0; i < slots; i++) {
        vectors[i] = (struct iovec){.iov_base = (char *)buffer + i * slot, .iov_len = slot};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, (struct mmsghdr *)messages, slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
    for (int i = 0; i < count; i++)
        lengths[i] = messages[i].msg_len;
    return count;
}
