// What no kernel loads: a helper that none has. Built as trial.bpf.c is.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static long (*none)(void *) = (void *)60000;

SEC("tc")
int rejected(struct __sk_buff *skb)
{
    return none(skb);
}

char LICENSE[] SEC("license") = "GPL";
