"""The main job: two hosts, a tunnel between them, packets through it, and nothing left afterwards."""

from contextlib import closing

import pytest
from daemon import Daemon
from ends import TUN_A, packets
from host import until

pytestmark = pytest.mark.packets


def test_a_created_tunnel_is_in_the_kernel_as_asked(daemon):
    tunnel = daemon.create(**TUN_A)
    link = daemon.host.kernel.links()["tun_a"]
    inherit_ttl, inherit_tos, pmtudisc, no_underlay, no_mark, ipip = 0, 1, 1, 0, 0, 4
    assert link.tunnel == (
        "172.16.16.22",
        "172.16.1.62",
        inherit_ttl,
        inherit_tos,
        pmtudisc,
        no_underlay,
        no_mark,
        ipip,
    )
    assert (link.is_up, link.mtu, link.index) == (True, 1480, tunnel["status"]["ifindex"])
    assert tunnel["status"]["state"] == "up" and tunnel["status"]["mtu"] == 1480
    assert tunnel["mtu"] is None and tunnel["ttl"] == "inherit" and tunnel["revision"] == 1
    on_link = {a.local for a in daemon.host.kernel.addresses() if a.index == link.index}
    assert on_link == {"192.168.1.1"}


def test_every_field_reaches_the_kernel(daemon):
    daemon.create(
        name="tun_all",
        local="172.16.16.22",
        remote="172.16.1.62",
        mtu=1300,
        ttl=64,
        tos=16,
        pmtudisc=True,
        underlay="underlay0",
        fwmark=7,
        addresses=["192.168.1.1 peer 192.168.1.254/32", "10.9.0.1/30"],
        routes=[{"to": "10.20.0.0/16", "metric": 100}, {"to": "10.21.0.0/24"}],
    )
    kernel = daemon.host.kernel
    links = kernel.links()
    link = links["tun_all"]
    assert link.tunnel == ("172.16.16.22", "172.16.1.62", 64, 16, 1, links["underlay0"].index, 7, 4)
    assert link.mtu == 1300
    ends = {(a.local, a.peer, a.length) for a in kernel.addresses() if a.index == link.index}
    assert ends == {("192.168.1.1", "192.168.1.254", 32), ("10.9.0.1", "10.9.0.1", 30)}
    routes = {(r.to, r.metric) for r in kernel.routes() if r.index == link.index and r.protocol == 116}
    assert routes == {("10.20.0.0/16", 100), ("10.21.0.0/24", 0)}


def test_a_tunnel_with_all_that_it_may_have(daemon):
    kernel = daemon.host.kernel
    before = kernel.state()
    addresses = [f"10.60.{number}.1/24" for number in range(32)]
    routes = [{"to": f"10.61.{number}.0/24", "metric": number} for number in range(256)]
    labels = {f"key{number}": "x" * 255 for number in range(32)}
    daemon.create(**TUN_A | {"addresses": addresses}, routes=routes, labels=labels, comment="x" * 1024)
    index = kernel.links()["tun_a"].index
    assert {f"{a.local}/{a.length}" for a in kernel.addresses() if a.index == index} == set(addresses)
    found = {(r.to, r.metric) for r in kernel.routes() if r.index == index and r.protocol == 116}
    assert found == {(route["to"], route["metric"]) for route in routes}
    assert daemon.tunnel("tun_a")["routes"] == routes
    answer = daemon.patch(
        "tun_a", {"addresses": addresses[::-1], "routes": routes[::2], "labels": {"key0": None}}
    )
    assert answer.status == 200, answer
    assert daemon.tunnel("tun_a")["addresses"] == addresses[::-1] and len(answer.json["labels"]) == 31
    found = {r.to for r in kernel.routes() if r.index == index and r.protocol == 116}
    assert found == {route["to"] for route in routes[::2]}
    assert daemon.delete("tun_a").status == 204
    # The module may have been loaded only now, and tunl0 with it.
    assert [link for link in kernel.state()[0] if link.name != "tunl0"] == [
        link for link in before[0] if link.name != "tunl0"
    ]
    assert kernel.state()[1:] == before[1:]


def test_a_disabled_tunnel_has_a_link_that_is_down(daemon):
    tunnel = daemon.create(**TUN_A, enabled=False, routes=[{"to": "10.20.0.0/16"}])
    assert tunnel["status"]["state"] == "down"
    assert not daemon.host.kernel.links()["tun_a"].is_up
    answer = daemon.patch("tun_a", {"enabled": True})
    assert answer.json["status"]["state"] == "up", answer
    link = daemon.host.kernel.links()["tun_a"]
    assert link.is_up and any(
        r.to == "10.20.0.0/16" for r in daemon.host.kernel.routes() if r.index == link.index
    )


def test_pings_go_both_ways_and_are_counted_exactly(both_ends):
    on_a, on_b = both_ends
    assert on_a.host.ping("192.168.1.254", 5) == 5
    assert on_b.host.ping("192.168.1.1", 5) == 5
    # Each echo has 64 bytes of ICMP behind an inner header of 20.
    assert packets(on_a, "tun_a") == packets(on_b, "tun_b") == (10, 840, 10, 840)
    # A TUN device's own counters don't move when a program takes its packets.
    own = {"kernel": (10, 10, 840, 840), "bpf": (0, 0, 0, 0)}
    assert on_a.host.kernel.counters("tun_a") == own[Daemon.kind]


def test_the_underlay_carries_protocol_4_with_the_inner_header(both_ends):
    on_a, _ = both_ends
    with closing(on_a.host.capture("underlay0")) as capture:
        assert on_a.host.ping("192.168.1.254", 2) == 2
        there = ("172.16.16.22", "172.16.1.62", "192.168.1.1", "192.168.1.254")
        back = ("172.16.1.62", "172.16.16.22", "192.168.1.254", "192.168.1.1")
        assert capture.ipip() == [there, back] * 2


def test_a_route_leads_packets_into_the_tunnel(both_ends):
    on_a, on_b = both_ends
    on_b.host.ip("address add 10.20.0.1/32 dev lo")
    answer = on_a.patch("tun_a", {"routes": [{"to": "10.20.0.0/16", "metric": 100}]})
    assert answer.status == 200, answer
    before = packets(on_a, "tun_a")
    assert on_a.host.ping("10.20.0.1", 3) == 3
    after = packets(on_a, "tun_a")
    assert [b - a for a, b in zip(before, after)] == [3, 252, 3, 252]


def test_another_remote_keeps_the_link_and_its_counters(both_ends):
    on_a, on_b = both_ends
    assert on_a.host.ping("192.168.1.254", 4) == 4
    link, counted = on_a.host.kernel.links()["tun_a"], packets(on_a, "tun_a")
    answer = on_a.patch("tun_a", {"remote": "172.16.1.63"})
    assert answer.status == 200 and answer.json["revision"] == 2, answer
    assert answer.headers["etag"] == '"2"'
    changed = on_a.host.kernel.links()["tun_a"]
    assert changed.index == link.index and changed.tunnel[1] == "172.16.1.63"
    assert packets(on_a, "tun_a") == counted
    on_b.host.ip("address add 172.16.1.63/16 dev underlay0")
    assert on_b.patch("tun_b", {"local": "172.16.1.63"}).status == 200
    assert on_a.host.ping("192.168.1.254", 2) == 2


def test_an_underlay_that_flaps_is_no_matter(both_ends):
    on_a, _ = both_ends
    link = on_a.host.kernel.links()["tun_a"]
    assert on_a.host.ping("192.168.1.254", 1) == 1
    on_a.host.ip("link set underlay0 down", "link set underlay0 up")
    with closing(on_a.host.pinger()) as pinger:
        until(lambda: pinger.echo("192.168.1.254", 0.1), 5, "packets go through again")
    assert on_a.host.kernel.links()["tun_a"] == link


def test_a_tunnel_is_renamed_in_place(daemon):
    tunnel = daemon.create(**TUN_A, routes=[{"to": "10.20.0.0/16"}])
    answer = daemon.patch("tun_a", {"name": "tun_z"})
    assert answer.status == 200 and answer.json["id"] == tunnel["id"], answer
    link = daemon.host.kernel.links()["tun_z"]
    assert link.index == tunnel["status"]["ifindex"] and link.is_up
    assert any(r.to == "10.20.0.0/16" and r.index == link.index for r in daemon.host.kernel.routes())
    assert "tun_a" not in daemon.host.kernel.links() and daemon.get("/v1/tunnels/tun_a").status == 404


def test_put_creates_and_the_same_body_twice_changes_nothing(daemon):
    body = {member: TUN_A[member] for member in TUN_A if member != "name"}
    assert daemon.put("tun_a", body).status == 201
    state = daemon.host.kernel.state()
    answer = daemon.put("tun_a", body)
    assert answer.status == 200 and answer.json["revision"] == 1, answer
    assert daemon.host.kernel.state() == state
    answer = daemon.put("tun_a", body | {"ttl": 9})
    assert answer.json["revision"] == 2 and daemon.host.kernel.links()["tun_a"].tunnel[2] == 9, answer


def test_an_mtu_of_null_follows_the_underlay(daemon):
    daemon.create(**TUN_A)
    fixed = daemon.create(name="tun_fixed", local="172.16.16.22", remote="172.16.1.63", mtu=1300)
    daemon.host.ip("link set underlay0 mtu 1400")
    until(lambda: daemon.host.kernel.links()["tun_a"].mtu == 1380, 1, "tun_a's mtu is 1380")
    until(lambda: daemon.tunnel("tun_a")["status"]["mtu"] == 1380, 1, "the status says so")
    assert daemon.tunnel("tun_a")["status"]["drift"] == [], "following isn't drift"
    assert daemon.host.kernel.links()["tun_fixed"].mtu == 1300 == fixed["mtu"]
    daemon.host.ip("link set underlay0 mtu 1500")
    until(lambda: daemon.host.kernel.links()["tun_a"].mtu == 1480, 1, "tun_a's mtu is 1480 again")


def test_delete_leaves_everything_else_as_it_was(two_daemons):
    on_a, _ = two_daemons
    # Make the module be there, and with ipip's tunl0, before the state is noted.
    on_a.host.add_somebodys_tunnel("probe", "172.16.9.9")
    on_a.host.ip("link del probe")
    before = on_a.host.kernel.state()
    assert Daemon.kind == "bpf" or "tunl0" in on_a.host.kernel.links()
    on_a.create(**TUN_A, routes=[{"to": "10.20.0.0/16"}, {"to": "10.21.0.0/16", "metric": 5}])
    assert on_a.host.kernel.state() != before
    answer = on_a.delete("tun_a")
    assert answer.status == 204 and answer.body == b"", answer
    assert on_a.host.kernel.state() == before
    assert on_a.get("/v1/tunnels/tun_a").status == 404 and on_a.rows() == []
    assert on_a.delete("tun_a").status == 404


def test_links_of_others_are_never_touched(daemon):
    kernel = daemon.host.kernel
    for number in range(1, 4):
        daemon.host.add_somebodys_tunnel(f"others{number}", f"172.16.9.{number}", "ttl 3")
    daemon.host.ip(
        "link add others0 type ifb",
        # Whoever copies our group or our alias alone isn't ours.
        "link set others2 group 1953824768",
        "link set others3 alias tunneld:00000000-0000-4000-8000-000000000000",
        "address add 10.99.0.1/24 dev others1",
        "link set others1 up",
        "route add 10.98.0.0/16 dev others1 metric 9",
    )

    def others():
        links = {
            n: l for n, l in kernel.links().items() if n.startswith(("others", "tunl0", "lo", "underlay"))
        }
        numbers = {link.index for link in links.values()}
        return (
            links,
            {a for a in kernel.addresses() if a.index in numbers},
            {r for r in kernel.routes() if r.index in numbers},
        )

    before = others()
    daemon.create(**TUN_A, routes=[{"to": "10.20.0.0/16"}])
    assert daemon.patch("tun_a", {"ttl": 12}).status == 200
    assert others() == before
    daemon.restart()
    assert others() == before
    assert daemon.delete("tun_a").status == 204
    daemon.restart()
    assert others() == before


@pytest.mark.ipip
def test_a_tunl0_that_somebody_configured_stays_as_it_is(daemon):
    daemon.host.add_somebodys_tunnel("others0", "172.16.9.1")
    daemon.host.ip("link set tunl0 up", "address add 10.97.0.1/32 dev tunl0")

    def fallback():
        kernel = daemon.host.kernel
        link = kernel.links()["tunl0"]
        return link, {address for address in kernel.addresses() if address.index == link.index}

    before = fallback()
    daemon.create(**TUN_A)
    daemon.restart()
    assert fallback() == before


def test_host_links_and_routes_say_what_the_kernel_has(daemon):
    tunnel = daemon.create(**TUN_A, routes=[{"to": "10.20.0.0/16"}])
    host = daemon.get("/v1/host").json
    modules = {module["name"]: module["state"] for module in host["modules"]}
    needed = {"kernel": "ipip", "bpf": "tun"}[Daemon.kind]
    assert modules[needed] in ("loaded", "built_in") and host["shortcomings"] == [], host
    assert host["data_plane"] == tunnel["status"]["data_plane"] == Daemon.kind
    links = {link["name"]: link for link in daemon.get("/v1/links").json["items"]}
    assert (links["tun_a"]["local"], links["tun_a"]["remote"]) == (TUN_A["local"], TUN_A["remote"])
    assert links["tun_a"]["tunnel_id"] == tunnel["id"] and links["underlay0"]["tunnel_id"] is None
    routes = {route["to"]: route for route in daemon.get("/v1/routes").json["items"]}
    assert routes["10.20.0.0/16"]["ours"] and not routes["172.16.0.0/16"]["ours"]
