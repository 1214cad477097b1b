"""Outer packets take the way that the host's routes say, now and when it changes."""

from contextlib import closing

import pytest
from conftest import started_daemon
from daemon import Daemon, metric
from ends import INNER_A, INNER_B, TUN_A, TUN_B, A, B
from host import Host, until

pytestmark = pytest.mark.packets

OTHER_A, OTHER_B = "172.18.0.1", "172.18.0.2"
THERE = (A, B, INNER_A, INNER_B)
BACK = (B, A, INNER_B, INNER_A)


@pytest.fixture
def two_daemons(two_hosts):
    """On hosts that are joined by a second cable, other0."""
    a, b = two_hosts
    a.join(b, f"{OTHER_A}/24", f"{OTHER_B}/24", link="other0")
    with started_daemon(a) as on_a, started_daemon(b) as on_b:
        yield on_a, on_b


def ways(host, seconds=2.0):
    """The outer packets of a ping by the first cable, and those by the other; empty when it isn't answered."""
    with closing(host.pinger()) as pinger:
        with closing(host.capture("underlay0")) as first, closing(host.capture("other0")) as other:
            return (first.ipip(), other.ipip()) if pinger.echo(INNER_B, seconds) else ()


FIRST, OTHER = ([THERE, BACK], []), ([], [THERE, BACK])


def follows(host, wanted=OTHER):
    """Within a second all goes that way, and from then on."""
    until(lambda: ways(host, 0.05) == wanted, 1, f"packets go {wanted}")
    for _ in range(3):
        assert ways(host) == wanted


def move_route(on_a, on_b):
    on_a.host.ip(f"route add {B}/32 via {OTHER_B} dev other0")
    on_b.host.ip(f"route add {A}/32 via {OTHER_A} dev other0")


def move_route_back(on_a, on_b):
    on_a.host.ip(f"route del {B}/32")
    on_b.host.ip(f"route del {A}/32")


def test_a_route_that_moves_takes_the_tunnel_along(both_ends):
    on_a, on_b = both_ends
    assert ways(on_a.host) == FIRST
    move_route(on_a, on_b)
    follows(on_a.host, OTHER)
    move_route_back(on_a, on_b)
    follows(on_a.host, FIRST)
    for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
        assert daemon.tunnel(name)["status"]["drift"] == [], "following isn't drift"


def test_a_route_that_moved_while_the_daemon_was_away(both_ends):
    on_a, on_b = both_ends
    for daemon in both_ends:
        assert daemon.stop() == 0
    move_route(on_a, on_b)
    for daemon in both_ends:
        daemon.start()
    follows(on_a.host, OTHER)


def test_the_mtu_follows_the_route(both_ends):
    on_a, on_b = both_ends
    on_a.host.ip("link set other0 mtu 1400")
    on_b.host.ip("link set other0 mtu 1400")
    move_route(on_a, on_b)
    mtu = lambda: on_a.host.kernel.links()["tun_a"].mtu  # noqa: E731
    until(lambda: mtu() == 1380, 1, "tun_a's MTU is that of the other cable less 20")
    on_a.host.ip(f"route change {B}/32 via {OTHER_B} dev other0 mtu 1300")
    until(lambda: mtu() == 1280, 1, "tun_a's MTU is that of the route less 20")
    move_route_back(on_a, on_b)
    until(lambda: mtu() == 1480, 1, "tun_a's MTU is that of the first cable less 20")
    follows(on_a.host, FIRST)


def test_any_local_address_is_the_one_that_the_route_prefers(two_daemons):
    on_a, on_b = two_daemons
    on_a.create(**{field: value for field, value in TUN_A.items() if field != "local"})
    on_b.create(**TUN_B)
    assert ways(on_a.host) == FIRST
    assert on_b.patch("tun_b", {"remote": OTHER_A}).status == 200
    on_a.host.ip(f"route add {B}/32 via {OTHER_B} dev other0 src {OTHER_A}")
    there, back = (OTHER_A, B, INNER_A, INNER_B), (B, OTHER_A, INNER_B, INNER_A)
    follows(on_a.host, ([], [there, back]))


def test_any_local_address_takes_packets_to_a_new_address(two_daemons):
    on_a, on_b = two_daemons
    on_a.create(**{field: value for field, value in TUN_A.items() if field != "local"})
    on_b.create(**TUN_B | {"remote": "172.16.16.99"})
    on_a.host.ip("address add 172.16.16.99/16 dev underlay0")
    # A answers from its first address, which B's tunnel doesn't know; so this is one way only.
    with closing(on_b.host.pinger()) as pinger, closing(on_a.host.capture("tun_a")) as capture:
        until(lambda: pinger.send(INNER_A) and capture.packets(), 1, "tun_a takes packets to the new address")


def test_a_mark_chooses_the_way(two_daemons):
    on_a, on_b = two_daemons
    for daemon, to, via in ((on_a, B, OTHER_B), (on_b, A, OTHER_A)):
        daemon.host.ip("rule add fwmark 7 lookup 100", f"route add {to}/32 via {via} dev other0 table 100")
    on_a.create(**TUN_A, fwmark=7)
    on_b.create(**TUN_B, fwmark=7)
    assert ways(on_a.host) == OTHER
    for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
        assert daemon.patch(name, {"fwmark": None}).status == 200
    assert ways(on_a.host) == FIRST


def test_a_marks_route_that_moves(two_daemons):
    on_a, on_b = two_daemons
    for daemon, to in ((on_a, B), (on_b, A)):
        daemon.host.ip("rule add fwmark 7 lookup 100", f"route add {to}/32 dev underlay0 table 100")
    on_a.create(**TUN_A, fwmark=7)
    on_b.create(**TUN_B, fwmark=7)
    assert ways(on_a.host) == FIRST
    for daemon, to, via in ((on_a, B, OTHER_B), (on_b, A, OTHER_A)):
        daemon.host.ip(f"route change {to}/32 via {via} dev other0 table 100")
    follows(on_a.host, OTHER)


def test_a_rule_about_the_local_address_that_comes_and_goes(both_ends):
    """As on hosts with several interfaces, each of which has a table of its own."""
    for daemon, of, to, via in ((both_ends[0], A, B, OTHER_B), (both_ends[1], B, A, OTHER_A)):
        daemon.host.ip(f"route add {to}/32 via {via} dev other0 table 100", f"rule add from {of} lookup 100")
    follows(both_ends[0].host, OTHER)
    for daemon, of in zip(both_ends, (A, B)):
        daemon.host.ip(f"rule del from {of} lookup 100")
    follows(both_ends[0].host, FIRST)


def test_a_table_before_the_main_one_keeps_the_way(two_daemons):
    """Whatever routes a tunnel has, since these are the main table's."""
    on_a, on_b = two_daemons
    around = {"routes": [{"to": f"{B}/32"}]}
    on_a.host.ip(f"route add default via {OTHER_B} dev other0 table 100")
    on_b.host.ip(f"route add {A}/32 via {OTHER_A} dev other0")
    assert on_a.post(TUN_A | around).status == 422
    on_a.host.ip(f"rule add from {A} lookup 100")
    on_a.create(**TUN_A, **around)
    on_b.create(**TUN_B)
    assert ways(on_a.host) == OTHER


def test_a_local_address_that_the_host_gets_later(two_daemons):
    on_a, on_b = two_daemons
    on_a.create(**TUN_A | {"local": "172.16.16.99"})
    on_b.create(**TUN_B | {"remote": "172.16.16.99"})
    assert on_a.tunnel("tun_a")["status"]["state"] == "up"
    on_a.host.ip("address add 172.16.16.99/16 dev underlay0")
    until(lambda: on_a.host.ping(INNER_B, 1) == 1, 1, "packets pass")


def test_a_rule_that_comes_and_goes(both_ends):
    for daemon, to, via in ((both_ends[0], B, OTHER_B), (both_ends[1], A, OTHER_A)):
        daemon.host.ip(f"route add {to}/32 via {via} dev other0 table 100", f"rule add to {to} lookup 100")
    follows(both_ends[0].host, OTHER)
    for daemon, to in zip(both_ends, (B, A)):
        daemon.host.ip(f"rule del to {to} lookup 100")
    follows(both_ends[0].host, FIRST)


@pytest.mark.parametrize("kind", ["several next hops", "a next hop of its own"])
def test_a_route_that_names_no_link_itself(both_ends, kind):
    on_a, _ = both_ends
    if kind == "several next hops":
        route = f"route add {B}/32 nexthop dev underlay0 nexthop via {OTHER_B} dev other0"
    else:
        on_a.host.write("/proc/sys/net/ipv4/nexthop_compat_mode", "0")
        on_a.host.ip("nexthop add id 7 dev underlay0")
        route = f"route add {B}/32 nhid 7"
    on_a.host.ip("route del 172.16.0.0/16", route, "link set tun_a alias seen")
    until(lambda: on_a.tunnel("tun_a")["status"]["drift"], 2, "the daemon has looked")
    assert on_a.host.ping(INNER_B) == 3


def test_a_named_underlay_that_was_away(two_daemons):
    """It comes back from another network namespace under its old number."""
    on_a, on_b = two_daemons
    on_a.create(**TUN_A, underlay="other0")
    on_b.create(**TUN_B, underlay="other0")
    assert ways(on_a.host) == OTHER
    with closing(Host()) as elsewhere:
        on_a.host.ip(f"link set other0 netns {elsewhere.path}")
        until(lambda: on_a.tunnel("tun_a")["status"]["state"] == "failed", 2, "it is missed")
        elsewhere.ip(f"link set other0 netns {on_a.host.path}")
    on_a.host.ip(f"address add {OTHER_A}/24 dev other0", "link set other0 up")
    follows(on_a.host, OTHER)


def test_a_tunnel_inside_a_tunnel(both_ends):
    on_a, on_b = both_ends
    on_a.create(name="inner", local=INNER_A, remote=INNER_B, addresses=["192.168.2.1/24"])
    on_b.create(name="inner", local=INNER_B, remote=INNER_A, addresses=["192.168.2.254/24"])
    assert on_a.host.ping("192.168.2.254") == 3
    on_a.kill()
    on_a.start()
    assert metric(on_a, "tunneld_kernel_changes_total") == [0]
    assert on_a.host.ping("192.168.2.254") == 3
    for daemon in both_ends:
        assert daemon.delete("inner").status == 204
    assert on_a.host.ping(INNER_B) == 3


def test_a_named_underlay_is_the_way_whatever_the_routes_say(two_daemons):
    on_a, on_b = two_daemons
    on_a.create(**TUN_A, underlay="other0")
    on_b.create(**TUN_B, underlay="other0")
    assert ways(on_a.host) == OTHER


@pytest.mark.data_plane("bpf")
def test_what_comes_by_another_link_than_the_named_underlay_is_not_taken(two_daemons):
    """The kernel's ipip takes it where no other tunnel has these endpoints."""
    on_a, on_b = two_daemons
    on_a.create(**TUN_A, underlay="other0")
    on_b.create(**TUN_B, underlay="other0")
    assert ways(on_a.host) == OTHER
    assert on_b.patch("tun_b", {"underlay": "underlay0"}).status == 200
    with closing(on_b.host.pinger()) as pinger, closing(on_a.host.capture("tun_a")) as capture:
        with closing(on_a.host.capture("underlay0")) as cable:
            pinger.send(INNER_A)
            until(lambda: cable.ipip(), 1, "it has come")
            assert capture.packets() == []


def test_without_a_route_packets_are_counted_as_errors_until_there_is_one(both_ends):
    on_a, _ = both_ends
    on_a.host.ip("route del 172.16.0.0/16")

    def stats():
        return on_a.get("/v1/tunnels/tun_a/stats?fresh=true").json

    with closing(on_a.host.pinger()) as pinger:
        until(lambda: pinger.send(INNER_B) and stats()["tx"]["errors"] > 0, 2, "errors are counted")
    assert stats()["drops"].keys() == ({"tx_no_route"} if Daemon.kind == "bpf" else set())
    on_a.host.ip(f"route add 172.16.0.0/16 dev underlay0 src {A}")
    with closing(on_a.host.pinger()) as pinger:
        until(lambda: pinger.echo(INNER_B, 0.05), 1, "it carries again")


def test_a_cable_that_is_replaced(both_ends):
    """The link is another one with the name of the first."""
    on_a, on_b = both_ends
    assert on_a.host.ping(INNER_B, 1) == 1
    on_a.host.ip("link del underlay0")
    on_a.host.join(on_b.host, f"{A}/16", f"{B}/16")
    follows(on_a.host, FIRST)


def test_packets_that_come_another_way_than_they_leave(both_ends):
    """Only B's route moves: its packets come by the other cable, A's go by the first."""
    on_a, on_b = both_ends
    on_b.host.ip(f"route add {A}/32 via {OTHER_A} dev other0")
    follows(on_a.host, ([THERE], [BACK]))
