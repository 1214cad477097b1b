// What a packet will be, or was, on the wire: with segmentation offload (GSO, GRO) one skb is many packets.
#pragma once

struct wire {
	__u32 packets;
	__u32 bytes; // of all of them, each with its headers
	__u32 largest; // bytes of the largest, from the inner IP header on
};

// Bytes of all headers that each segment gets, from the IP header at offset on; 0 where that isn't known.
static __always_inline __u32 segment_headers(struct __sk_buff *skb, __u32 offset, const struct iphdr *first)
{
	__u32 headers = first->ihl * 4;
	struct iphdr ip = *first;
	__u8 data_offset;

	// IPIP may be nested in IPIP.
	for (int depth = 0; depth < 2 && ip.protocol == IPPROTO_IPIP; depth++) {
		if (!load_ip(skb, offset + headers, &ip))
			return 0;
		headers += ip.ihl * 4;
	}
	if (ip.protocol == IPPROTO_UDP)
		return headers + 8;
	if (ip.protocol != IPPROTO_TCP || !load_bytes(skb, offset + headers + 12, &data_offset, 1))
		return 0;
	return headers + (data_offset >> 4) * 4;
}

// gso_segs isn't to be had: whoever changed the headers before may have reset it.
static __always_inline struct wire measure(struct __sk_buff *skb, __u32 offset, __u32 length, const struct iphdr *ip)
{
	struct wire wire = {.packets = 1, .bytes = length, .largest = length};
	__u32 size = skb->gso_size;
	if (!size)
		return wire;
	__u32 headers = segment_headers(skb, offset, ip);
	if (!headers || headers + size >= length)
		return wire;
	wire.packets = (length - headers + size - 1) / size;
	wire.bytes = length + (wire.packets - 1) * headers;
	wire.largest = headers + size;
	return wire;
}
