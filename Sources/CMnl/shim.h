#pragma once
// <netinet/in.h> and <net/if.h> come first: the kernel's headers then leave out what they share.
#include <netinet/in.h>
#include <net/if.h>
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
