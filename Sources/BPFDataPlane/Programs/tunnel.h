// What the programs and the daemon share: the layout of every map. A change here takes new map names (LAYOUT), because
// a new daemon finds the maps of the old one, which carry packets.
#pragma once
#include <linux/types.h>

#define LAYOUT(name) name##_1
#define MAX_TUNNELS 65536
#define MAX_ADDRESSES 65536
#define MAX_UNDERLAYS 4096

// RFC 791's header without options.
#define OUTER_HEADER_BYTES 20
// A learnt path MTU is no lower, as with the kernel's net.ipv4.route.min_pmtu: whoever can forge an ICMP message could
// otherwise close the tunnel.
#define PATH_MTU_MIN 552
// net.ipv4.route.mtu_expires.
#define PATH_MTU_LIFETIME_NS 600000000000ULL

// tun_config.flags
#define TUNNEL_PMTUDISC 1
#define TUNNEL_UP 2 // what arrives is delivered: the device is up

// tun_config.tos
#define TOS_INHERIT 1

// tun_config, by ifindex of the TUN device. The daemon writes, the programs read.
struct tun_config {
	__be32 local; // 0: any
	__be32 remote;
	__be32 source; // of outer headers: local, or with any what the route prefers
	__u32 underlay; // ifindex that was asked for, 0: none
	__u32 out; // ifindex by which outer packets leave, 0: there is no route
	__u32 fwmark; // of outer packets
	__u32 path_mtu; // of the way to remote, outer header included
	__u8 ttl; // 0: inherit
	__u8 tos; // TOS_INHERIT, or DSCP in the upper six bits
	__u8 flags;
	__u8 learnt; // the programs' note: tun_state may have a lower path MTU
};

// tun_endpoint: whose is what comes from remote to local by underlay? The value is the ifindex of the TUN device (__u32).
struct tun_endpoint {
	__be32 local; // 0: any of host_address
	__be32 remote;
	__u32 underlay; // ifindex, 0: any
};

// tun_state, by ifindex of the TUN device: what the programs keep. The daemon makes an entry of zeros.
struct tun_state {
	__u64 path_mtu_expires_ns; // CLOCK_MONOTONIC
	__u32 path_mtu; // learnt from ICMP, outer header included
	__u32 next_id; // of outer packets that may be fragmented
};

// tun_counter, by ifindex of the TUN device, one for each CPU. Bytes are those of inner packets; a packet that is many
// on the wire (GSO, GRO) counts as many. Each drop has one name.
struct tun_counter {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;

	__u64 rx_outer_header; // outer length or checksum is wrong
	__u64 rx_fragment; // of an outer packet; a tc program can't put them together
	__u64 rx_not_ipv4; // inner version
	__u64 rx_inner_header; // inner packet is too short, or its lengths are wrong
	__u64 rx_ecn; // congestion was marked on a packet that can't bear the mark (RFC 6040)
	__u64 rx_down; // the device is down
	__u64 rx_failed; // the kernel couldn't strip the outer header: memory, or a kind of GSO

	__u64 tx_not_ipv4;
	__u64 tx_inner_header;
	__u64 tx_too_big; // for the path: the sender was told by ICMP where it may be
	__u64 tx_no_route;
	__u64 tx_loop; // the route to remote leads into the tunnel itself
	__u64 tx_nested; // a large packet that is to be segmented inside another tunnel's header, other than IPIP
	__u64 tx_failed; // the kernel couldn't add the outer header: memory, or a kind of GSO
};

// underlay, by ifindex of a link that has the ingress program.
struct underlay {
	__u8 header_bytes; // of the link layer: 14 with Ethernet, 0 with none
	__u8 made_clsact; // the daemon's note: it made the qdisc, so it removes it
	// What needn't be looked for, so that a hint that is missing costs time only.
	__u8 none_bound; // no tunnel is bound to this link
	__u8 none_any; // each tunnel has a local address
};
