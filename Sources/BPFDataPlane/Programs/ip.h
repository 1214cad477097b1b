// The IPv4 header and its checksum (RFC 791, RFC 1071).
#pragma once

#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP_MAX_BYTES 65535

// Headers begin within this many bytes; the verifier wants to know.
#define HEADERS_MAX_BYTES 0x3ff

// Reads in place what lies in the packet's linear part, as headers mostly do: a helper's call costs more than all the rest.
static __always_inline bool load_bytes(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	if (__builtin_expect(offset <= HEADERS_MAX_BYTES, 1)) {
		void *from = (void *)(long)skb->data + offset;
		if (__builtin_expect(from + size <= (void *)(long)skb->data_end, 1)) {
			__builtin_memcpy(to, from, size);
			return true;
		}
	}
	return bpf_skb_load_bytes(skb, offset, to, size) == 0;
}

static __always_inline bool load_ip(struct __sk_buff *skb, __u32 offset, struct iphdr *ip)
{
	return load_bytes(skb, offset, ip, sizeof(*ip));
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

// One's complement sums don't mind the byte order, so words are added as they lie.
static __always_inline __u64 sum_header(const struct iphdr *ip)
{
	__u32 word[sizeof(*ip) / 4];
	__builtin_memcpy(word, ip, sizeof(word));
	return (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
}

static __always_inline void set_checksum(struct iphdr *ip)
{
	ip->check = 0;
	ip->check = fold(sum_header(ip));
}

// The sum over part of a packet; negative where that can't be read or is longer than MAX_SUMMED_BYTES.
#define SUM_CHUNK_BYTES 64
#define MAX_SUMMED_BYTES (24 * SUM_CHUNK_BYTES)

static __noinline __s64 sum_packet(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__s64 sum = 0;

	for (int chunk = 0; chunk < MAX_SUMMED_BYTES / SUM_CHUNK_BYTES; chunk++) {
		__u32 bytes[SUM_CHUNK_BYTES / 4] = {};
		__u32 last = length - 1 < SUM_CHUNK_BYTES ? length - 1 : SUM_CHUNK_BYTES - 1;
		if (!length)
			return sum;
		// The verifier of 6.1 wants to see in one register that at least one byte is read, and how many at most.
		barrier_var(last);
		__u32 size = (last & (SUM_CHUNK_BYTES - 1)) + 1;
		if (bpf_skb_load_bytes(skb, offset, bytes, size))
			return -1;
		for (int word = 0; word < SUM_CHUNK_BYTES / 4; word++)
			sum += bytes[word];
		offset += size;
		length -= size;
	}
	return length ? -1 : sum;
}

static __always_inline bool checksum_is_right(struct __sk_buff *skb, __u32 offset, const struct iphdr *ip)
{
	__u64 sum = sum_header(ip);
	if (ip->ihl > 5) {
		__s64 options = sum_packet(skb, offset + sizeof(*ip), ip->ihl * 4 - sizeof(*ip));
		if (options < 0)
			return false;
		sum += options;
	}
	return fold(sum) == 0;
}
