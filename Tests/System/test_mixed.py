"""One end is the kernel's ipip, the other a TUN device with programs: neither can tell."""

import socket

import pytest
from conftest import started_daemon
from ends import A, B, INNER_A, INNER_B, TUN_A, TUN_B, Stream, packets
from host import until

pytestmark = [pytest.mark.ipip, pytest.mark.packets, pytest.mark.data_plane("bpf")]


@pytest.fixture(params=[("kernel", "bpf"), ("bpf", "kernel")], ids="-".join)
def both_ends(request, two_hosts):
    a, b = two_hosts
    of_a, of_b = request.param
    with started_daemon(a, data_plane=of_a) as on_a, started_daemon(b, data_plane=of_b) as on_b:
        assert on_a.create(**TUN_A)["status"]["data_plane"] == of_a
        assert on_b.create(**TUN_B)["status"]["data_plane"] == of_b
        yield on_a, on_b


def test_pings_go_both_ways_and_are_counted_exactly(both_ends):
    on_a, on_b = both_ends
    assert on_a.host.ping(INNER_B, 5) == 5 and on_b.host.ping(INNER_A, 5) == 5
    assert packets(on_a, "tun_a") == packets(on_b, "tun_b") == (10, 840, 10, 840)


@pytest.mark.parametrize("there", [True, False], ids=["from A to B", "from B to A"])
def test_a_stream_arrives_whole(both_ends, there):
    (sender, sending), (receiver, taking) = [
        (daemon, name) for daemon, name in zip(both_ends, ("tun_a", "tun_b"))
    ][:: 1 if there else -1]
    with Stream(sender.host, receiver.host, INNER_B if there else INNER_A, size=1400) as stream:
        until(lambda: stream.sent > 1000, 20, "a thousand are sent")
    assert stream.received() == list(range(stream.sent))
    assert packets(sender, sending)[2:] == packets(receiver, taking)[:2] == (stream.sent, stream.sent * 1428)


@pytest.mark.parametrize("there", [True, False], ids=["from A to B", "from B to A"])
def test_tcp_arrives_whole(both_ends, there):
    """In segments larger than the link, cut at one end and joined at the other."""
    sender, receiver = both_ends[:: 1 if there else -1]
    size = 4_000_000
    pattern = bytes(range(251)) * (size // 251 + 1)
    with receiver.host.inside():
        listener = socket.create_server((INNER_B if there else INNER_A, 0))
    with sender.host.inside():
        client = socket.socket()
    with listener, client:
        client.settimeout(20)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            client.setblocking(False)
            sent, got = 0, bytearray()

            def step():
                nonlocal sent
                try:
                    sent += client.send(pattern[sent : min(sent + (1 << 16), size)]) if sent < size else 0
                except BlockingIOError:
                    pass
                try:
                    got.extend(server.recv(1 << 18))
                except BlockingIOError:
                    pass
                return len(got) == size

            until(step, 60, f"all of {size} bytes arrive")
    assert got == pattern[:size]


@pytest.mark.parametrize(
    "change",
    [{"ttl": 7}, {"tos": 16}, {"pmtudisc": False}, {"mtu": 1300}, {"fwmark": 9}, {"ttl": 255, "tos": 184}],
    ids=str,
)
def test_each_field_of_either_end(both_ends, change):
    on_a, on_b = both_ends
    for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
        assert daemon.patch(name, change).status == 200
        assert on_a.host.ping(INNER_B, 3) == 3 and on_b.host.ping(INNER_A, 3) == 3


def test_outer_headers_are_the_same_from_either_end(both_ends):
    """Less what may differ: the id of a packet that can't be fragmented, and the checksum over it."""
    on_a, on_b = both_ends

    def seen():
        """The outer headers of a ping and its answer."""
        capture = on_a.host.capture("underlay0")
        try:
            assert on_a.host.ping(INNER_B, 1) == 1
            outer = capture.ipip_packets()
        finally:
            capture.close()
        assert len(outer) == 2
        return [(packet[:4], packet[6:10]) for packet in outer]

    for change in ({}, {"ttl": 9}, {"ttl": "inherit", "tos": 40}):
        for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
            assert daemon.patch(name, change).status == 200
        there, back = seen()
        # An echo and its reply differ in DF as the stack sends them; pmtudisc sets it on both.
        assert there == back, change
    assert {A, B} == {on_a.tunnel("tun_a")["local"], on_a.tunnel("tun_a")["remote"]}
