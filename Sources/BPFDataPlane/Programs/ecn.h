// Explicit congestion notification in tunnels: RFC 6040, normal mode.
#pragma once

#define ECN_MASK 3
#define ECN_NOT_ECT 0
#define ECN_ECT_1 1
#define ECN_ECT_0 2
#define ECN_CE 3

static __always_inline __u8 encapsulated_tos(__u8 tos, __u8 inner)
{
	return ((tos == TOS_INHERIT ? inner : tos) & ~ECN_MASK) | (inner & ECN_MASK);
}

// RFC 6040, figure 4. False for a packet that is to be dropped.
static __always_inline bool decapsulate_ecn(__u8 outer, __u8 *inner)
{
	__u8 outer_ecn = outer & ECN_MASK, inner_ecn = *inner & ECN_MASK;

	if (inner_ecn == ECN_NOT_ECT)
		return outer_ecn != ECN_CE;
	if (outer_ecn == ECN_CE)
		*inner |= ECN_CE;
	else if (outer_ecn == ECN_ECT_1 && inner_ecn == ECN_ECT_0)
		*inner = (*inner & ~ECN_MASK) | ECN_ECT_1;
	return true;
}
