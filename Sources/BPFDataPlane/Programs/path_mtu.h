// Path MTU discovery: what routers say about outer packets, and what inner senders are told (RFC 792, RFC 1191).
#pragma once

#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

struct icmp_frag_needed {
	__u8 type;
	__u8 code;
	__sum16 check;
	__be16 unused;
	__be16 mtu;
};

static __always_inline __u32 path_mtu(const struct tun_config *config, __u32 ifindex)
{
	const struct tun_state *state = config->learnt ? find_state(ifindex) : 0;

	if (state && state->path_mtu && state->path_mtu < config->path_mtu &&
	    bpf_ktime_get_ns() < state->path_mtu_expires_ns)
		return state->path_mtu;
	return config->path_mtu;
}

// An ICMP message came: does it say that packets of a tunnel are too large? Whoever forges one needs the tunnel's
// addresses, as with the kernel's own ipip.
static __always_inline void learn_path_mtu(struct __sk_buff *skb, const struct underlay *underlay, const struct iphdr *ip)
{
	__u32 offset = underlay->header_bytes, length = bpf_ntohs(ip->tot_len);
	struct icmp_frag_needed icmp;
	struct iphdr quoted;
	struct tunnel tunnel;

	if (ip->ihl < 5 || ip->frag_off & bpf_htons(IP_MF | IP_OFFSET) || !checksum_is_right(skb, offset, ip))
		return;
	offset += ip->ihl * 4;
	if (length < ip->ihl * 4 + sizeof(icmp) + sizeof(quoted))
		return;
	length -= ip->ihl * 4;
	if (bpf_skb_load_bytes(skb, offset, &icmp, sizeof(icmp)) || icmp.type != ICMP_DEST_UNREACH ||
	    icmp.code != ICMP_FRAG_NEEDED || !load_ip(skb, offset + sizeof(icmp), &quoted))
		return;
	if (quoted.version != 4 || quoted.protocol != IPPROTO_IPIP || quoted.saddr != ip->daddr)
		return;
	__u32 ifindex = find_endpoint(quoted.saddr, quoted.daddr, skb->ifindex, underlay);
	if (!ifindex || !find_tunnel(ifindex, &tunnel))
		return;
	__s64 sum = sum_packet(skb, offset, length);
	if (sum < 0 || fold(sum) != 0)
		return;

	__u32 mtu = bpf_ntohs(icmp.mtu);
	if (mtu < PATH_MTU_MIN)
		mtu = PATH_MTU_MIN;
	struct tun_state *state = find_state(ifindex);
	if (!state || mtu > path_mtu(tunnel.config, ifindex))
		return;
	state->path_mtu_expires_ns = bpf_ktime_get_ns() + PATH_MTU_LIFETIME_NS;
	state->path_mtu = mtu;
	// Where the daemon writes the entry anew meanwhile this is lost, and the next such message says it again.
	tunnel.config->learnt = 1;
}

static __always_inline bool is_unicast(__be32 address)
{
	__u8 first = bpf_ntohl(address) >> 24;
	return first != 0 && first != 127 && first < 224;
}

// RFC 1122, 3.2.2: no error about errors, later fragments, and what wasn't from one host to one host.
static __always_inline bool may_be_answered(struct __sk_buff *skb, const struct iphdr *ip)
{
	__u8 type;

	if (ip->frag_off & bpf_htons(IP_OFFSET) || !is_unicast(ip->saddr) || !is_unicast(ip->daddr))
		return false;
	// Who allowed fragments isn't told; but this host's own routing is, which then makes fragments that fit. The
	// kernel's ipip lowers the route's MTU instead.
	if (!(ip->frag_off & bpf_htons(IP_DF)) && skb->ingress_ifindex)
		return false;
	if (ip->protocol != IPPROTO_ICMP)
		return true;
	if (bpf_skb_load_bytes(skb, ip->ihl * 4, &type, 1))
		return false;
	return type != ICMP_DEST_UNREACH && type != ICMP_SOURCE_QUENCH && type != ICMP_REDIRECT &&
	       type != ICMP_TIME_EXCEEDED && type != ICMP_PARAMETERPROB;
}

// Turns the packet into "fragmentation needed" and delivers that from the TUN device, as if it came through the
// tunnel: so it reaches a sender on this host and one behind it. It comes from the packet's destination, because that
// is an address that strict rp_filter takes from this device.
static __always_inline int answer_too_big(struct __sk_buff *skb, const struct iphdr *inner, __u32 mtu)
{
	struct {
		struct iphdr ip;
		struct icmp_frag_needed icmp;
	} head = {
		.ip = {.version = 4, .ihl = 5, .tos = 0xc0, .frag_off = bpf_htons(IP_DF), .ttl = 64},
		.icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_FRAG_NEEDED, .mtu = bpf_htons(mtu)},
	};
	// As much as fits into 576 bytes (RFC 1812, 4.3.2.3).
	__u32 quoted = skb->len < 576 - sizeof(head) ? skb->len : 576 - sizeof(head);

	// This also takes the segmentation off. It fails on a packet that came out of another tunnel; then the stack cuts
	// by the header's length, and a sender whose large packets were dropped sends smaller ones before long.
	if (bpf_skb_change_tail(skb, quoted, 0) && skb->gso_size)
		return TC_ACT_SHOT;
	__s64 sum = sum_packet(skb, 0, quoted);
	if (sum < 0)
		return TC_ACT_SHOT;

	head.ip.tot_len = bpf_htons(sizeof(head) + quoted);
	head.ip.protocol = IPPROTO_ICMP;
	head.ip.saddr = inner->daddr;
	head.ip.daddr = inner->saddr;
	set_checksum(&head.ip);
	sum += bpf_htons(ICMP_DEST_UNREACH << 8 | ICMP_FRAG_NEEDED) + (__u64)head.icmp.mtu;
	head.icmp.check = fold(sum);
	if (bpf_skb_adjust_room(skb, sizeof(head), BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, 0, &head, sizeof(head), 0))
		return TC_ACT_SHOT;
	skb->mark = 0;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}
