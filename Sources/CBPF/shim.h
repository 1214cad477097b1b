#pragma once
// <net/if.h> comes first: the kernel's headers then leave out what they share.
#include <net/if.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
// The layouts that the programs and the daemon share.
#include "../BPFDataPlane/Programs/tunnel.h"

// glibc shows these only under _GNU_SOURCE, which Swift's importer doesn't define, or not at all.
extern int capget(cap_user_header_t header, cap_user_data_t data);
extern int capset(cap_user_header_t header, const cap_user_data_t data);
extern const char *strerrorname_np(int errnum);
extern int vasprintf(char **text, const char *format, va_list arguments);

// errno is a macro; open, fcntl and ioctl are variadic: Swift imports none of them.
static inline int cbpf_errno(void) { return errno; }
static inline int cbpf_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }
static inline int cbpf_open(const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static inline int cbpf_open_to_read(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

/// TUNGETFEATURES: fails on anything that isn't the TUN driver's.
static inline int cbpf_tun_features(int fd)
{
    unsigned int features;
    return ioctl(fd, TUNGETFEATURES, &features);
}

/// TUNSETIFINDEX: the ifindex of the device that TUNSETIFF will create.
static inline int cbpf_tun_set_index(int fd, unsigned int index) { return ioctl(fd, TUNSETIFINDEX, &index); }

/// TUNSETIFF. `name` is cut at IFNAMSIZ - 1.
static inline int cbpf_tun_set_name(int fd, const char *name, int flags)
{
    struct ifreq request = {.ifr_flags = (short)flags};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return ioctl(fd, TUNSETIFF, &request);
}

/// TUNSETPERSIST: the device stays when its descriptor is closed.
static inline int cbpf_tun_set_persistent(int fd) { return ioctl(fd, TUNSETPERSIST, 1); }

/// TUNSETOFFLOAD: what the device takes on; `offloads` is TUN_F_….
static inline int cbpf_tun_set_offloads(int fd, unsigned int offloads) { return ioctl(fd, TUNSETOFFLOAD, offloads); }
