"""Packets cross, between two ends of ours and, where the kernel has ipip, to and from one of that."""

from lab import INNER_A, INNER_B, tcp_transfer


def test_ping_both_ways(two_ends):
    assert two_ends.a.ping(INNER_B, 5) == 5
    assert two_ends.b.ping(INNER_A, 5) == 5


def test_tcp_both_ways(two_ends):
    size = 20_000_000
    assert tcp_transfer(two_ends.a, two_ends.b, INNER_B, size) == size
    assert tcp_transfer(two_ends.b, two_ends.a, INNER_A, size) == size


def test_pings_are_counted(lab):
    lab.a.ping(INNER_B, 5)
    expected = {"rx_packets": 5, "rx_bytes": 5 * 84, "tx_packets": 5, "tx_bytes": 5 * 84}
    assert lab.end_a.count("tun0") == expected
    assert lab.end_b.count("tun0") == expected
