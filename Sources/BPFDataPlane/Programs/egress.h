// From the TUN device to the underlay. The packet has no link-layer header: it begins with the inner IP header.
#pragma once

static __always_inline int push_outer_header(struct __sk_buff *skb, const struct iphdr *outer, __u8 inner_protocol,
                                             __u64 **failure, struct tun_counter *counter)
{
	// FIXED_GSO: segments keep their size, since the device's MTU has room for the outer header already.
	// NO_CSUM_RESET: IPIP has no checksum of its own, so what a NIC verified is still the inner one.
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	long error = bpf_skb_adjust_room(skb, OUTER_HEADER_BYTES, BPF_ADJ_ROOM_MAC, flags | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4);

	// The packet is marked as encapsulated. It is IPIP itself, or it came out of an IPIP tunnel, since nothing takes
	// the mark off when a program strips the header: its marks are right for one more header of the kind. Or
	// it is inside some other tunnel's header, and then only a single packet can get one more.
	if (error == -EALREADY) {
		if (skb->gso_size && inner_protocol != IPPROTO_TCP && inner_protocol != IPPROTO_IPIP) {
			*failure = &counter->tx_nested;
			return -1;
		}
		error = bpf_skb_adjust_room(skb, OUTER_HEADER_BYTES, BPF_ADJ_ROOM_MAC, flags);
	}
	// bpf_redirect_neigh wants a link-layer header to take off.
	if (!error)
		error = bpf_skb_change_head(skb, ETH_HLEN, 0);
	void *room = (void *)(long)skb->data + ETH_HLEN;
	if (error || room + OUTER_HEADER_BYTES > (void *)(long)skb->data_end) {
		*failure = &counter->tx_failed;
		return -1;
	}
	__builtin_memcpy(room, outer, OUTER_HEADER_BYTES);
	return 0;
}

SEC("tc")
int tunneld_egress(struct __sk_buff *skb)
{
	__u32 length = skb->len;
	struct tunnel tunnel;
	struct iphdr inner;

	if (!find_tunnel(skb->ifindex, &tunnel))
		return TC_ACT_SHOT;
	const struct tun_config *config = tunnel.config;
	struct tun_counter *counter = tunnel.counter;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return drop(&counter->tx_not_ipv4, 1);
	if (!load_ip(skb, 0, &inner))
		return drop(&counter->tx_inner_header, 1);
	if (inner.version != 4)
		return drop(&counter->tx_not_ipv4, 1);
	__u32 total = bpf_ntohs(inner.tot_len);
	if (!total && skb->gso_size) // longer than the field can say
		total = length;
	if (inner.ihl < 5 || total < inner.ihl * 4 || total > length)
		return drop(&counter->tx_inner_header, 1);

	struct wire wire = measure(skb, 0, length, &inner);
	if (!config->out)
		return drop(&counter->tx_no_route, wire.packets);
	if (config->out == skb->ifindex)
		return drop(&counter->tx_loop, wire.packets);
	__u32 mtu = path_mtu(config, skb->ifindex) - OUTER_HEADER_BYTES;
	if (wire.largest > mtu) {
		drop(&counter->tx_too_big, wire.packets);
		return may_be_answered(skb, &inner) ? answer_too_big(skb, &inner, mtu) : TC_ACT_SHOT;
	}

	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = encapsulated_tos(config->tos, inner.tos),
		// Segments get lengths of their own.
		.tot_len = length + OUTER_HEADER_BYTES <= IP_MAX_BYTES ? bpf_htons(length + OUTER_HEADER_BYTES) : 0,
		.frag_off = config->flags & TUNNEL_PMTUDISC ? bpf_htons(IP_DF) : inner.frag_off & bpf_htons(IP_DF),
		.ttl = config->ttl ? config->ttl : inner.ttl,
		.protocol = IPPROTO_IPIP,
		.saddr = config->source,
		.daddr = config->remote,
	};
	// RFC 6864: only what may be fragmented needs an id.
	if (!outer.frag_off) {
		struct tun_state *state = find_state(skb->ifindex);
		if (!state)
			return drop(&counter->tx_failed, wire.packets);
		outer.id = bpf_htons(__sync_fetch_and_add(&state->next_id, wire.packets));
	}
	set_checksum(&outer);

	__u64 *failure = 0;
	if (push_outer_header(skb, &outer, inner.protocol, &failure, counter))
		return drop(failure, wire.packets);
	// Set in any case: a mark that led the inner packet into the tunnel must not lead the outer one there too.
	skb->mark = config->fwmark;
	counter->tx_packets += wire.packets;
	counter->tx_bytes += wire.bytes;
	// Not told the next hop, which would save a look-up: the packet would keep its inner route, and one that waits for
	// the neighbour's address would be lost (neigh_update sends it by that route's device).
	return bpf_redirect_neigh(config->out, 0, 0, 0);
}
