"""Everything that is sent arrives and is counted: of each size, of a thousand tunnels, while the daemon is killed."""

import socket
from contextlib import ExitStack, closing

import pytest
from conftest import joined_hosts, started_daemon
from daemon import Daemon, metric
from ends import INNER_A, INNER_B, TUN_A, A, B, Stream, packets
from host import until
from writers import create_all

pytestmark = pytest.mark.packets


def test_every_packet_and_byte_is_counted_at_both_ends(both_ends):
    """Of each size that goes through unbroken, with an inner header of 20 bytes and one of 8."""
    on_a, on_b = both_ends
    sizes = [*range(0, 64), *range(64, 1452, 97), 1451, 1452]
    with ExitStack() as stack:
        with on_a.host.inside():
            sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with on_b.host.inside():
            receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind((INNER_B, 0))
        receiver.settimeout(5)
        for size in sizes:
            sender.sendto(bytes(size), receiver.getsockname())
            assert len(receiver.recv(2048)) == size
    count, octets = len(sizes), sum(size + 28 for size in sizes)
    assert packets(on_a, "tun_a") == (0, 0, count, octets)
    assert packets(on_b, "tun_b") == (count, octets, 0, 0)


def test_a_transfer_counts_the_same_at_both_ends(both_ends):
    """TCP in segments of up to 64 KiB: one packet for the stack, many on the wire."""
    on_a, on_b = both_ends
    size, chunk = 20_000_000, bytes(1 << 16)
    with on_b.host.inside():
        listener = socket.create_server((INNER_B, 0))
    with on_a.host.inside():
        sender = socket.socket()
    with listener, sender:
        sender.settimeout(10)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            receiver.settimeout(10)
            sender.setblocking(False)
            sent = received = 0
            while received < size:
                if sent < size:
                    try:
                        sent += sender.send(chunk[: size - sent])
                    except BlockingIOError:
                        pass
                received += len(receiver.recv(1 << 20))
            assert received == size
    # The last acknowledgements are on their way.
    until(lambda: packets(on_a, "tun_a") == mirrored(packets(on_b, "tun_b")), 5, "both ends count the same")
    rx_packets, rx_bytes, tx_packets, tx_bytes = packets(on_a, "tun_a")
    assert size < tx_bytes < size * 1.1
    if Daemon.kind == "bpf":
        # The kernel's ipip counts what it is given, which may be many packets in one.
        segment = 1480 - 20 - 20 - 12  # with timestamps
        assert tx_packets >= size / segment, "a packet of many segments counts as many"


def mirrored(counts):
    return counts[2:] + counts[:2]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_no_packet_and_no_count_is_lost_while_the_daemon_is_away(both_ends, end):
    on_a, on_b = both_ends
    size = 100
    with Stream(on_a.host, on_b.host, INNER_B, size) as stream:
        for daemon, name, way in [(on_a, "tun_a", 2), (on_b, "tun_b", 0)] * 2:
            before = packets(daemon, name)[way]
            goal = stream.sent + 1000
            getattr(daemon, end)()
            until(lambda: stream.sent >= goal, 10, "it goes on without the daemon")
            daemon.start()
            after = packets(daemon, name)[way]
            assert after >= before + 1000, "what went through meanwhile isn't counted"
            assert metric(daemon, "tunneld_kernel_changes_total") == [0]
    assert stream.fault is None
    numbers = stream.received()
    print(f"{stream.sent} sent, {len(numbers)} received")
    assert numbers == list(range(stream.sent))
    octets = stream.sent * (size + 28)
    assert packets(on_a, "tun_a") == (0, 0, stream.sent, octets)
    assert packets(on_b, "tun_b") == (stream.sent, octets, 0, 0)


def test_packets_go_through_while_the_tunnel_is_changed(both_ends):
    """Routes, addresses, ttl, the name: none of it takes the tunnel away from its packets."""
    on_a, on_b = both_ends
    changes = [
        {"ttl": 64},
        {"routes": [{"to": "10.20.0.0/16"}]},
        {"addresses": [f"{INNER_A}/24", "10.9.0.1/30"]},
        {"tos": 16},
        {"comment": "x"},
        {"ttl": "inherit", "tos": "inherit"},
    ]
    with Stream(on_a.host, on_b.host, INNER_B) as stream:
        for change in changes * 5:
            goal = stream.sent + 40
            assert on_a.patch("tun_a", change).status == 200
            until(lambda: stream.sent >= goal, 10, "it goes on")
    assert stream.fault is None
    assert stream.received() == list(range(stream.sent))


def test_a_tunnel_switched_off_lets_nothing_through(both_ends):
    on_a, on_b = both_ends
    assert on_a.host.ping(INNER_B, 1) == 1
    assert on_b.patch("tun_b", {"enabled": False}).status == 200
    before = packets(on_b, "tun_b")
    with closing(on_a.host.pinger()) as pinger:
        assert not pinger.echo(INNER_B, 0.3)
    assert packets(on_b, "tun_b")[2:] == before[2:]
    assert on_b.patch("tun_b", {"enabled": True}).status == 200
    assert on_a.host.ping(INNER_B, 2) == 2


def test_a_tunnel_switched_on_carries_at_once(both_ends):
    on_a, on_b = both_ends
    for _ in range(3):
        assert on_b.patch("tun_b", {"enabled": False}).status == 200
        assert on_b.patch("tun_b", {"ttl": 7}).status == 200
        before = packets(on_b, "tun_b")
        with closing(on_a.host.pinger()) as pinger:
            assert not pinger.echo(INNER_B, 0.3)
        assert packets(on_b, "tun_b") == before, "what a change of its ttl lets in isn't delivered, but counted"
        assert on_b.patch("tun_b", {"ttl": 8, "enabled": True}).status == 200
        assert on_a.host.ping(INNER_B, 1) == 1


def test_the_same_tunnel_as_before(both_ends):
    """A delete and a create of the same name and endpoints begin at 0."""
    on_a, _ = both_ends
    assert on_a.host.ping(INNER_B, 3) == 3
    assert on_a.delete("tun_a").status == 204
    on_a.create(**TUN_A)
    assert packets(on_a, "tun_a") == (0, 0, 0, 0)
    assert on_a.host.ping(INNER_B, 2) == 2
    assert packets(on_a, "tun_a") == (2, 168, 2, 168)


# --- A thousand

COUNT = 1000


def end_of(number, near, far, host):
    """One end of the tunnel of this number."""
    return {
        "name": f"t{number:04}",
        "local": near,
        "remote": far,
        "addresses": [f"10.{number // 250}.{number % 250}.{host}/30"],
    }


@pytest.mark.thousand
def test_a_thousand_carry_at_once():
    far = [f"172.17.{number // 250}.{number % 250 + 1}" for number in range(COUNT)]
    with ExitStack() as stack:
        a, b = stack.enter_context(joined_hosts())
        a.ip(f"route add 172.17.0.0/16 via {B}")
        b.ip(*(f"address add {address}/32 dev lo" for address in far))
        on_a, on_b = (stack.enter_context(started_daemon(host)) for host in (a, b))
        create_all(on_a, (end_of(number, A, far[number], 1) for number in range(COUNT)))
        create_all(on_b, (end_of(number, far[number], A, 2) for number in range(COUNT)))
        pinger = stack.enter_context(closing(a.pinger()))
        for start in [*range(0, COUNT, 100)] * 3:
            # Of a hundred tunnels, all are asked before any answer is read.
            asked = {
                pinger.send(f"10.{number // 250}.{number % 250}.2") for number in range(start, start + 100)
            }
            while not asked <= pinger.answered:
                assert pinger.receive(5), f"{len(asked - pinger.answered)} of 100 have no answer"
        for daemon in (on_a, on_b):
            assert all_counts(daemon) == [(3, 252, 3, 252)] * COUNT
            daemon.kill()
            daemon.start()
            assert metric(daemon, "tunneld_kernel_changes_total") == [0]
            assert all_counts(daemon) == [(3, 252, 3, 252)] * COUNT


def all_counts(daemon):
    items = daemon.get("/v1/stats?fresh=true").json["items"]
    return [tuple(item[way][unit] for way in ("rx", "tx") for unit in ("packets", "bytes")) for item in items]
