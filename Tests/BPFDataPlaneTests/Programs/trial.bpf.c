// What the tests load: it counts packets, for each link on each CPU, and lets them pass. Built
// with the compiler and flags of scripts/build-bpf.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct counter {
    __u64 packets;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, __u32);
    __type(value, struct counter);
} trial_counter SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, __u32);
    __type(value, __u64);
} trial_setting SEC(".maps");

static __always_inline int count(struct __sk_buff *skb)
{
    __u32 index = skb->ifindex;
    struct counter *counter = bpf_map_lookup_elem(&trial_counter, &index);
    if (counter) {
        counter->packets++;
        counter->bytes += skb->len;
    }
    return TC_ACT_UNSPEC;
}

SEC("tc")
int trial_ingress(struct __sk_buff *skb)
{
    return count(skb);
}

SEC("tc")
int trial_egress(struct __sk_buff *skb)
{
    __u32 index = skb->ifindex;
    if (bpf_map_lookup_elem(&trial_setting, &index))
        return TC_ACT_SHOT;
    return count(skb);
}

char LICENSE[] SEC("license") = "GPL";
