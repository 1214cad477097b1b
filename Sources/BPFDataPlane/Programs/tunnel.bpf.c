// IPIP (RFC 2003) as two tc programs, for kernels without the module. One object serves all tunnels of a namespace:
//
//   tunneld_egress   at clsact egress of each TUN device: adds the outer header, sends it by the underlay
//   tunneld_ingress  at clsact ingress of each underlay link: strips it, delivers to the TUN device
//
// What isn't a tunnel's goes on to other filters and the stack, untouched.
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tunnel.h"

#include "maps.h"
#include "ip.h"
#include "ecn.h"
#include "wire.h"
#include "path_mtu.h"
#include "egress.h"
#include "ingress.h"

// No helper that is called here is for GPL-compatible programs only, so this can be what the rest is.
char license_of_programs[] SEC("license") = "Apache-2.0";
