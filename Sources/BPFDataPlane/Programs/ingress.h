// From the underlay to the TUN device.
#pragma once

// Takes off the outer header; the result is the filter's.
static __always_inline int decapsulate(struct __sk_buff *skb, const struct underlay *underlay, const struct iphdr *outer)
{
	__u32 ifindex = find_endpoint(outer->daddr, outer->saddr, skb->ifindex, underlay);
	struct tunnel tunnel;
	struct iphdr inner;

	if (!ifindex || !find_tunnel(ifindex, &tunnel))
		return TC_ACT_UNSPEC;
	struct tun_counter *counter = tunnel.counter;
	__u32 offset = underlay->header_bytes;

	__u32 header = outer->ihl * 4, available = skb->len - offset, total = bpf_ntohs(outer->tot_len);
	if (!total && skb->gso_size) // longer than the field can say
		total = available;
	if (header < sizeof(*outer) || total < header || total > available || !checksum_is_right(skb, offset, outer))
		return drop(&counter->rx_outer_header, 1);
	if (outer->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return drop(&counter->rx_fragment, 1);

	__u32 length = total - header;
	if (length < sizeof(inner) || !load_ip(skb, offset + header, &inner))
		return drop(&counter->rx_inner_header, 1);
	if (inner.version != 4)
		return drop(&counter->rx_not_ipv4, 1);
	__u32 inner_total = bpf_ntohs(inner.tot_len);
	if (!inner_total && skb->gso_size)
		inner_total = length;
	if (inner.ihl < 5 || inner_total < inner.ihl * 4 || inner_total > length)
		return drop(&counter->rx_inner_header, 1);

	struct wire wire = measure(skb, offset + header, length, &inner);
	if (!(tunnel.config->flags & TUNNEL_UP))
		return drop(&counter->rx_down, wire.packets);
	__u8 tos = inner.tos;
	if (!decapsulate_ecn(outer->tos, &inner.tos))
		return drop(&counter->rx_ecn, wire.packets);
	if (bpf_skb_adjust_room(skb, -(__s32)header, BPF_ADJ_ROOM_MAC,
	                        BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return drop(&counter->rx_failed, wire.packets);
	if (inner.tos != tos) {
		// The whole header, because its sum stays what it was: a NIC's sum over the packet is still right.
		__u64 sum = (__u16)~inner.check;
		sum += (__u16)~bpf_htons(tos);
		sum += bpf_htons(inner.tos);
		inner.check = fold(sum);
		if (bpf_skb_store_bytes(skb, offset, &inner, sizeof(inner), 0))
			return drop(&counter->rx_failed, wire.packets);
	}
	bpf_set_hash_invalid(skb); // it was the outer header's
	counter->rx_packets += wire.packets;
	counter->rx_bytes += wire.bytes;
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

SEC("tc")
int tunneld_ingress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct iphdr ip;

	// Not for this host's MAC address, or for a VLAN's link, which has a program of its own.
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type == PACKET_OTHERHOST)
		return TC_ACT_UNSPEC;
	if (skb->vlan_present && skb->vlan_tci & 0xfff)
		return TC_ACT_UNSPEC;
	const struct underlay *found = bpf_map_lookup_elem(&LAYOUT(underlay), &ifindex);
	if (!found)
		return TC_ACT_UNSPEC;
	// A copy, because an entry that the daemon writes anew may become another link's meanwhile.
	struct underlay underlay = *found;
	if (!load_ip(skb, underlay.header_bytes, &ip) || ip.version != 4)
		return TC_ACT_UNSPEC;
	if (ip.protocol == IPPROTO_IPIP)
		return decapsulate(skb, &underlay, &ip);
	if (ip.protocol == IPPROTO_ICMP)
		learn_path_mtu(skb, &underlay, &ip);
	return TC_ACT_UNSPEC;
}
