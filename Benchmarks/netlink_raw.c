/* What the kernel alone takes: the messages of a tunnel's life, written by hand with libmnl.
 *   create N       for each of N tunnels: link, alias, up, address and a read of the link, in one send
 *   delete N       the same links, one after another
 *   create-batch N, delete-group N    the same in as few sends as can be: many tunnels in each; one for all that go
 *   dump-links N, dump-stats N, dump-all N    a whole dump, N times; all: links, IPv4 addresses and routes */
#include <arpa/inet.h>
#include <err.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "clock.h"

enum { FIRST_IFINDEX = 1000000, GROUP = 7777, BATCH = 64, MESSAGES_SIZE = 1024, DATAGRAMS = 64 };
static struct mnl_socket *nl;
static unsigned seq, objects;
static int count;
static int has_ipv6;
static char out[BATCH * MESSAGES_SIZE], in[DATAGRAMS][1 << 16] __attribute__((aligned(8)));
static struct iovec vectors[DATAGRAMS];
static struct mmsghdr datagrams[DATAGRAMS];

static struct nlmsghdr *message(char *at, int type, int flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = ++seq;
    return nlh;
}

static struct nlmsghdr *link_message(char *at, int type, int flags, int i)
{
    struct nlmsghdr *nlh = message(at, type, flags | NLM_F_ACK);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
    ifi->ifi_index = FIRST_IFINDEX + i;
    return nlh;
}

static void put_link(struct nlmsghdr *nlh, int i)
{
    char name[IFNAMSIZ];
    snprintf(name, sizeof name, "raw%d", i);
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    mnl_attr_put_u32(nlh, IFLA_MTU, 1480);
    mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "ipip");
    struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    mnl_attr_put_u32(nlh, IFLA_IPTUN_LOCAL, htonl(0xac101016));
    mnl_attr_put_u32(nlh, IFLA_IPTUN_REMOTE, htonl(0x0a000000 + i));
    mnl_attr_put_u8(nlh, IFLA_IPTUN_PROTO, IPPROTO_IPIP);
    mnl_attr_put_u8(nlh, IFLA_IPTUN_PMTUDISC, 1);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
}

static int count_object(const struct nlmsghdr *nlh, void *context)
{
    (void)nlh, (void)context;
    objects++;
    return MNL_CB_OK;
}

/* Returns how many answers end in a datagram. */
static int take_in(const char *datagram, int length)
{
    int ended = 0, more = 1;
    const struct nlmsghdr *nlh = (const struct nlmsghdr *)datagram;
    for (; mnl_nlmsg_ok(nlh, length) && more; nlh = mnl_nlmsg_next(nlh, &length)) {
        int result = mnl_cb_run(nlh, nlh->nlmsg_len, nlh->nlmsg_seq, mnl_socket_get_portid(nl), count_object, NULL);
        if (result < 0)
            err(1, "message %u", nlh->nlmsg_seq);
        ended += result == MNL_CB_STOP;
    }
    return ended;
}

/* Sends what is in out and reads answers, many in a call, until the one to the last sequence number is complete. */
static void exchange(size_t size, unsigned first)
{
    if (mnl_socket_sendto(nl, out, size) < 0)
        err(1, "send");
    while (first <= seq) {
        int received = recvmmsg(mnl_socket_get_fd(nl), datagrams, DATAGRAMS, MSG_WAITFORONE, NULL);
        if (received < 0)
            err(1, "receive");
        for (int i = 0; i < received; i++)
            first += take_in(in[i], datagrams[i].msg_len);
    }
}

/* IPv6 address generation can only be switched off when the link exists (a create is refused with
 * EAFNOSUPPORT), and only keeps the link-local address away when the link isn't up yet. */
static void put_details(struct nlmsghdr *nlh, int i)
{
    char alias[64];
    snprintf(alias, sizeof alias, "tunneld:%08d-0000-4000-8000-000000000000", i);
    mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
    if (!has_ipv6)
        return;
    struct nlattr *families = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *ipv6 = mnl_attr_nest_start(nlh, AF_INET6);
    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(nlh, ipv6);
    mnl_attr_nest_end(nlh, families);
}

/* Returns where the next message goes. */
static char *put_create(char *at, int i)
{
    struct nlmsghdr *nlh = link_message(at, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, i);
    put_link(nlh, i);
    at += MNL_ALIGN(nlh->nlmsg_len);

    nlh = link_message(at, RTM_SETLINK, 0, i);
    put_details(nlh, i);
    at += MNL_ALIGN(nlh->nlmsg_len);

    nlh = link_message(at, RTM_SETLINK, 0, i);
    struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    at += MNL_ALIGN(nlh->nlmsg_len);

    nlh = message(at, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);
    *ifa = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 30, .ifa_index = FIRST_IFINDEX + i};
    mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(0x0b000001 + 4 * i));
    mnl_attr_put_u32(nlh, IFA_ADDRESS, htonl(0x0b000001 + 4 * i));
    at += MNL_ALIGN(nlh->nlmsg_len);

    nlh = link_message(at, RTM_GETLINK, 0, i);
    return at + MNL_ALIGN(nlh->nlmsg_len);
}

static void create(int i)
{
    unsigned first = seq + 1;
    exchange(put_create(out, i) - out, first);
}

static void create_batch(int i)
{
    unsigned first = seq + 1;
    char *at = out;
    if (i % BATCH)
        return;
    for (int last = i + BATCH < count ? i + BATCH : count; i < last; i++)
        at = put_create(at, i);
    exchange(at - out, first);
}

static void dump(int type, size_t header)
{
    struct nlmsghdr *nlh = message(out, type, NLM_F_DUMP);
    char *payload = mnl_nlmsg_put_extra_header(nlh, header);
    if (type == RTM_GETSTATS)
        ((struct if_stats_msg *)payload)->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    else if (type != RTM_GETLINK)
        *payload = AF_INET;
    exchange(nlh->nlmsg_len, seq);
}

static void delete(int i)
{
    struct nlmsghdr *nlh = link_message(out, RTM_DELLINK, 0, i);
    exchange(nlh->nlmsg_len, seq);
}

static void delete_group(int i)
{
    if (i)
        return;
    struct nlmsghdr *nlh = message(out, RTM_DELLINK, NLM_F_ACK);
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
    exchange(nlh->nlmsg_len, seq);
}

static void dump_links(int i)
{
    (void)i;
    dump(RTM_GETLINK, sizeof(struct ifinfomsg));
}

static void dump_stats(int i)
{
    (void)i;
    dump(RTM_GETSTATS, sizeof(struct if_stats_msg));
}

static void dump_all(int i)
{
    dump_links(i);
    dump(RTM_GETADDR, sizeof(struct ifaddrmsg));
    dump(RTM_GETROUTE, sizeof(struct rtmsg));
}

static const struct {
    const char *name;
    void (*run)(int);
} modes[] = {{"create", create}, {"delete", delete}, {"create-batch", create_batch},
             {"delete-group", delete_group}, {"dump-links", dump_links}, {"dump-stats", dump_stats},
             {"dump-all", dump_all}};

int main(int argc, char **argv)
{
    count = argc == 3 ? atoi(argv[2]) : 0;
    void (*step)(int) = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name))
            step = modes[i].run;
    if (count < 1 || !step)
        errx(2, "usage: netlink_raw create|delete|create-batch|delete-group|dump-links|dump-stats|dump-all COUNT");
    has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
    nl = mnl_socket_open(NETLINK_ROUTE);
    if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
        err(1, "netlink socket");
    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval));
    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &(int){1 << 22}, sizeof(int));
    mnl_socket_setsockopt(nl, NETLINK_GET_STRICT_CHK, &(int){1}, sizeof(int));

    for (int i = 0; i < DATAGRAMS; i++) {
        vectors[i] = (struct iovec){.iov_base = in[i], .iov_len = sizeof in[i]};
        datagrams[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }

    double *times = calloc(count, sizeof *times), start = now_us();
    for (int i = 0; i < count; i++) {
        double begun = now_us();
        step(i);
        times[i] = now_us() - begun;
    }
    printf("us_each %.1f\nus_median %.1f\nobjects %u\n", (now_us() - start) / count, median(times, count),
           objects / count);
    return 0;
}
