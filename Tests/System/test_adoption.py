"""Tunnels that somebody made by hand are taken over, and let go again, while packets go through them."""

import random
import subprocess
import time
from contextlib import ExitStack

import pytest
from conftest import started_daemon
from daemon import metric, problem
from ends import INNER_A, INNER_B, TUN_A, A, B, Stream
from host import until

OURS = "116"


def make_by_hand(host, name, local, remote, address, route):
    host.ip(
        f"link add {name} type ipip local {local} remote {remote}",
        f"link set {name} up",
        f"address add {address}/24 dev {name}",
        f"route add {route} dev {name}",
    )


@pytest.fixture
def by_hand(two_hosts):
    """The tunnel of the walk-through, made as one would without tunneld."""
    a, b = two_hosts
    make_by_hand(a, "tun_a", A, B, INNER_A, "10.20.0.0/16")
    make_by_hand(b, "tun_b", B, A, INNER_B, "10.10.0.0/16")
    return a, b


def adopt(daemon, name, **wish):
    return daemon.request("POST", f"/v1/links/{name}/adopt", wish or None)


def unmanage(daemon, name, **headers):
    return daemon.request("POST", f"/v1/tunnels/{name}/unmanage", **headers)


def listed(daemon, query="?managed=false"):
    """The links that are listed, by name, as they are now."""
    time.sleep(0.11)  # an answer is kept for a tenth of a second
    return {link["name"]: link for link in daemon.get(f"/v1/links{query}").json["items"]}


def shown(host, name):
    """All that `ip` shows of a link, its addresses and routes, but for counters."""
    with host.inside():
        words = [
            subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=True).stdout
            for command in (
                f"-d link show {name}",
                f"address show dev {name}",
                f"route show dev {name} table all",
            )
        ]
    return "\n".join(words)


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
@pytest.mark.packets
def test_no_packet_is_lost_while_a_tunnel_changes_hands(by_hand):
    a, b = by_hand
    with ExitStack() as stack:
        on_a, on_b = (stack.enter_context(started_daemon(host)) for host in (a, b))
        numbers = {daemon: daemon.host.kernel.links()[name].index for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b"))}
        before = {daemon: shown(daemon.host, name) for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b"))}
        counted = -1
        with Stream(a, b, INNER_B) as stream:

            def go_on():
                goal = stream.sent + 200
                until(lambda: stream.sent >= goal, 10, "it goes on")

            for round in range(3):
                for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
                    go_on()
                    answer = adopt(daemon, name, labels={"site": "a"})
                    assert answer.status == 201, answer
                    assert answer.headers["location"] == f"/v1/tunnels/{name}"
                    tunnel = answer.json
                    assert tunnel["status"]["state"] == "up"
                    assert tunnel["status"]["ifindex"] == numbers[daemon]
                    go_on()
                    patched = daemon.patch(name, {"labels": {"site": "b"}})
                    assert patched.status == 200, patched
                    if daemon is on_a:
                        stats = daemon.get("/v1/tunnels/tun_a/stats?fresh=true").json
                        assert stats["epoch"] == 1
                        assert stats["tx"]["packets"] > counted, "the link's counters go on"
                        counted = stats["tx"]["packets"]
                    go_on()
                    if round == 1:
                        daemon.kill()
                        daemon.start()
                        assert metric(daemon, "tunneld_kernel_changes_total") == [0]
                        assert daemon.tunnel(name)["status"]["drift"] == []
                for daemon, name in ((on_b, "tun_b"), (on_a, "tun_a")):
                    go_on()
                    if round < 2:
                        assert unmanage(daemon, name).status == 204
                        assert name in listed(daemon)
        assert stream.fault is None
        assert stream.received() == list(range(stream.sent))
        # As the kernel had it, but for the mark and the routes' protocol.
        for daemon, name in ((on_a, "tun_a"), (on_b, "tun_b")):
            assert unmanage(daemon, name).status == 204
            assert without_protocol(shown(daemon.host, name)) == without_protocol(before[daemon])
            assert "proto static" in shown(daemon.host, name)


def without_protocol(words):
    return sorted(line.replace(" proto static", "").strip() for line in words.splitlines())


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_what_was_let_go_is_left_alone(by_hand):
    a, _ = by_hand
    with started_daemon(a) as daemon:
        assert adopt(daemon, "tun_a").status == 201
        assert listed(daemon, "?managed=true")["tun_a"]["tunnel_id"] == daemon.tunnel("tun_a")["id"]
        assert "tun_a" not in listed(daemon)
        assert unmanage(daemon, "tun_a", if_match='"7"').status == 412
        assert unmanage(daemon, "tun_a", if_match='"1"').status == 204
        assert daemon.get("/v1/tunnels/tun_a").status == 404
        left = shown(a, "tun_a")
        assert "tunneld" not in left and OURS not in left.replace("1160", "")
        with a.watch() as changes:
            daemon.restart()
            daemon.kill()
            daemon.start()
            time.sleep(0.5)
            assert changes() == 0
        assert shown(a, "tun_a") == left
        assert metric(daemon, "tunneld_kernel_changes_total") == [0]
        events = [row[0] for row in daemon.rows("SELECT type FROM event ORDER BY id")]
        assert events == ["adopted", "unmanaged"]


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_an_adopted_tunnel_is_a_tunnel_as_any_other(by_hand):
    a, _ = by_hand
    with started_daemon(a) as daemon:
        number = adopt(daemon, "tun_a").json["status"]["ifindex"]
        # Drift is repaired in its place.
        for change in ("link set tun_a mtu 1300", "route del 10.20.0.0/16", "link set tun_a group 0", "link set tun_a down"):
            a.ip(change)
            until(lambda: whole(a), 10, change)
        tunnel = daemon.tunnel("tun_a")
        assert tunnel["status"]["ifindex"] == number and tunnel["status"]["state"] == "up"
        # It is changed in its place.
        for change in ({"ttl": 9}, {"mtu": 1400}, {"addresses": ["192.168.5.1/24"]}, {"name": "other"}):
            answer = daemon.patch("tun_a", change)
            assert answer.status == 200 and answer.json["status"]["ifindex"] == number, answer
        # Asynchronously or not, a delete takes the link.
        assert daemon.delete("other", prefer="respond-async").status == 202
        assert "other" not in a.kernel.links()
        daemon.restart()
        assert "other" not in a.kernel.links()


def whole(host):
    words = shown(host, "tun_a")
    return "mtu 1480" in words and "10.20.0.0/16 proto 116" in words and "group 1953824768" in words and ",UP" in words


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_one_of_two_marked_links_is_the_tunnels(by_hand):
    a, _ = by_hand
    with started_daemon(a) as daemon:
        tunnel = adopt(daemon, "tun_a").json
        a.ip(
            "link add copy type ipip remote 172.16.5.5",
            "link set copy group 1953824768",
            f"link set copy alias tunneld:{tunnel['id']}",
        )
        copy = shown(a, "copy")
        daemon.restart()
        assert daemon.tunnel("tun_a")["status"]["ifindex"] == tunnel["status"]["ifindex"]
        assert daemon.delete("tun_a").status == 204
        daemon.restart()
        assert shown(a, "copy") == copy, "a copy is nobody's"
        assert "copy" in listed(daemon)


OBSTACLES = {
    "external": "link add x type ipip external",
    "remote": "link add x type ipip local 172.16.16.22",
    "mode": "link add x type ipip remote 172.16.5.5 mode mplsip",
    "tos": "link add x type ipip remote 172.16.5.5 tos 0x12",
}


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
@pytest.mark.parametrize("field", OBSTACLES)
def test_what_cant_be_a_tunnel_is_refused_and_untouched(daemon, field):
    host = daemon.host
    host.ip(OBSTACLES[field], "link set x group 9 up")
    before = shown(host, "x")
    refusal = problem(adopt(daemon, "x"), 409, "not-adoptable")
    assert [note["field"] for note in refusal["obstacles"]] == [field]
    assert listed(daemon)["x"]["adoption"]["obstacles"] == refusal["obstacles"]
    assert shown(host, "x") == before
    assert daemon.tunnels() == {}
    problem(adopt(daemon, "tunl0"), 409, "not-adoptable")


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_links_of_other_kinds_are_listed_without(daemon):
    host = daemon.host
    host.ip("link add g type gre remote 172.16.5.5", "link add v type vxlan id 7 dstport 0 dev underlay0")
    links = listed(daemon)
    assert links["g"]["kind"] == "gre" and links["g"]["adoption"] is None
    assert links["v"]["adoption"] is None and links["underlay0"]["adoption"] is None
    for name in ("g", "v", "underlay0", "nothing"):
        problem(adopt(daemon, name), 404, "link-not-found")


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_what_another_tunnel_has_is_refused(by_hand):
    a, _ = by_hand
    with started_daemon(a) as daemon:
        daemon.create(name="first", remote="172.16.5.5", addresses=[f"{INNER_A}/24"])
        refusal = problem(adopt(daemon, "tun_a"), 409, "address-taken")
        assert refusal["tunnel"] == "first"
        assert [note["field"] for note in listed(daemon)["tun_a"]["adoption"]["obstacles"]] == ["addresses"]


@pytest.mark.ipip
@pytest.mark.data_plane("kernel")
def test_killed_at_any_time_the_link_stays(by_hand):
    """The daemon is killed while it adopts and lets go: afterwards the link is a tunnel's or nobody's, and works."""
    a, _ = by_hand
    number = a.kernel.links()["tun_a"].index
    random.seed(4)
    outcomes = set()
    with started_daemon(a) as daemon:
        for _ in range(20):
            is_tunnel = "tun_a" in daemon.tunnels()
            path = "/v1/tunnels/tun_a/unmanage" if is_tunnel else "/v1/links/tun_a/adopt"
            connection = daemon.client().connection
            connection.request("POST", path)
            time.sleep(random.uniform(0, 0.012))
            daemon.kill()
            connection.close()
            assert a.kernel.links()["tun_a"].index == number
            daemon.start()
            tunnels = daemon.tunnels()
            outcomes.add((is_tunnel, "tun_a" in tunnels))
            assert a.kernel.links()["tun_a"].index == number
            if tunnels:
                until(lambda: daemon.tunnel("tun_a")["status"]["state"] == "up", 5, "the tunnel is up")
                assert whole(a), shown(a, "tun_a")
                assert daemon.tunnel("tun_a")["status"]["drift"] == []
    print(outcomes)
    assert {before for before, _ in outcomes} == {True, False}


@pytest.mark.ipip
@pytest.mark.packets
@pytest.mark.data_plane("bpf")
def test_programs_dont_take_over_what_the_kernel_carries(by_hand):
    a, _ = by_hand
    before = shown(a, "tun_a")
    with started_daemon(a) as daemon:
        assert [note["field"] for note in listed(daemon)["tun_a"]["adoption"]["obstacles"]] == ["data_plane"]
        problem(adopt(daemon, "tun_a"), 409, "not-adoptable")
        assert shown(a, "tun_a") == before
        assert a.ping(INNER_B) == 3


@pytest.mark.data_plane("bpf")
def test_what_programs_carry_isnt_let_go(daemon):
    daemon.create(**TUN_A)
    before = shown(daemon.host, "tun_a")
    problem(unmanage(daemon, "tun_a"), 409, "unmanage-unsupported")
    assert shown(daemon.host, "tun_a") == before
    assert daemon.tunnel("tun_a")["status"]["state"] == "up"
    links = listed(daemon, "?managed=true")
    assert list(links) == ["tun_a"] and links["tun_a"]["adoption"] is None
    problem(adopt(daemon, "tun_a"), 404, "link-not-found")
    assert unmanage(daemon, "nothing").status == 404
