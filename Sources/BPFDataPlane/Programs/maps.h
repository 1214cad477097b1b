// The maps. They live as long as a filter refers to a program that uses them; none is pinned.
#pragma once

#define TUNNEL_MAP(kind, entries, key_type, value_type)                                                                \
	struct {                                                                                                           \
		__uint(type, kind);                                                                                            \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                          \
		__uint(max_entries, entries);                                                                                  \
		__type(key, key_type);                                                                                         \
		__type(value, value_type);                                                                                     \
	}

TUNNEL_MAP(BPF_MAP_TYPE_HASH, MAX_TUNNELS, __u32, struct tun_config) LAYOUT(tun_config) SEC(".maps");
TUNNEL_MAP(BPF_MAP_TYPE_HASH, MAX_TUNNELS, struct tun_endpoint, __u32) LAYOUT(tun_endpoint) SEC(".maps");
TUNNEL_MAP(BPF_MAP_TYPE_HASH, MAX_TUNNELS, __u32, struct tun_state) LAYOUT(tun_state) SEC(".maps");
TUNNEL_MAP(BPF_MAP_TYPE_PERCPU_HASH, MAX_TUNNELS, __u32, struct tun_counter) LAYOUT(tun_counter) SEC(".maps");
TUNNEL_MAP(BPF_MAP_TYPE_HASH, MAX_ADDRESSES, __be32, __u8) LAYOUT(host_address) SEC(".maps");
TUNNEL_MAP(BPF_MAP_TYPE_HASH, MAX_UNDERLAYS, __u32, struct underlay) LAYOUT(underlay) SEC(".maps");

// A tunnel, as the programs see it.
struct tunnel {
	struct tun_config *config;
	struct tun_counter *counter;
};

static __always_inline bool find_tunnel(__u32 ifindex, struct tunnel *tunnel)
{
	tunnel->config = bpf_map_lookup_elem(&LAYOUT(tun_config), &ifindex);
	tunnel->counter = bpf_map_lookup_elem(&LAYOUT(tun_counter), &ifindex);
	return tunnel->config && tunnel->counter;
}

static __always_inline struct tun_state *find_state(__u32 ifindex)
{
	return bpf_map_lookup_elem(&LAYOUT(tun_state), &ifindex);
}

// Among those that are bound to one link, or those that are bound to none (0).
static __always_inline __u32 find_receiver(__be32 local, __be32 remote, __u32 bound, const struct underlay *underlay)
{
	struct tun_endpoint key = {.local = local, .remote = remote, .underlay = bound};
	const __u32 *found = bpf_map_lookup_elem(&LAYOUT(tun_endpoint), &key);

	if (found)
		return *found;
	if (underlay->none_any)
		return 0;
	key.local = 0;
	found = bpf_map_lookup_elem(&LAYOUT(tun_endpoint), &key);
	return found && bpf_map_lookup_elem(&LAYOUT(host_address), &local) ? *found : 0;
}

// Which tunnel takes what remote sent to local by this link? In the order of the kernel's ip_tunnel_lookup; the
// result is the ifindex of its TUN device, 0 for none.
static __always_inline __u32 find_endpoint(__be32 local, __be32 remote, __u32 ifindex, const struct underlay *underlay)
{
	__u32 index = 0;

	if (!underlay->none_bound)
		index = find_receiver(local, remote, ifindex, underlay);
	return index ? index : find_receiver(local, remote, 0, underlay);
}

// BH is off in both hooks, so nothing else touches this CPU's counters meanwhile.
static __always_inline int drop(__u64 *reason, __u32 packets)
{
	*reason += packets;
	return TC_ACT_SHOT;
}
