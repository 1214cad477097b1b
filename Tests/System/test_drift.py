"""Changes behind the daemon's back are repaired within a second, and told."""

import time
from contextlib import closing

import pytest
from conftest import joined_hosts, started_daemon
from daemon import Daemon, metric
from host import Host, until
from writers import kernel_view

TUNNEL = {
    "name": "tun_a",
    "local": "172.16.16.22",
    "remote": "172.16.1.62",
    "addresses": ["192.168.1.1/24"],
    "routes": [{"to": "10.20.0.0/16", "metric": 100}, {"to": "10.21.0.0/16"}],
}


@pytest.fixture(scope="module")
def shared():
    with joined_hosts() as (a, _), started_daemon(a) as daemon:
        # So that no later `ip` waits for a module while the daemon repairs.
        a.ip("link add somebody0 type ifb")
        yield daemon


@pytest.fixture
def daemon(shared):
    """Has tun_a and nothing else, whatever the test before it left."""
    if shared.process.poll() is not None:
        shared.start()
    for name in shared.tunnels():
        assert shared.delete(name).status == 204
    links = shared.host.kernel.links().values()
    shared.host.ip(
        *(f"link del {link.name}" for link in links if link.name not in ("lo", "tunl0", "underlay0"))
    )
    shared.create(**TUNNEL)
    return shared


def ours(kernel):
    """The tunnel's link less its number, its addresses, its routes and the programs that carry its packets."""
    link = kernel.links().get("tun_a")
    if link is None:
        return None
    addresses = {(a.local, a.peer, a.length) for a in kernel.addresses() if a.index == link.index}
    routes = {(r.to, r.metric, r.table, r.protocol) for r in kernel.routes() if r.index == link.index}
    underlay = kernel.links()["underlay0"].index
    filters = [
        (filter.index == underlay, filter.parent, filter.name)
        for filter in kernel.filters()
        if filter.index in (link.index, underlay)
    ]
    return link.is_up, link.mtu, link.tunnel, link.group, link.alias, addresses, routes, sorted(filters)


CHANGES = {
    "link deleted": ("link del tun_a", "link", "absent"),
    "address removed": ("address del 192.168.1.1/24 dev tun_a", "addresses", "absent"),
    "address added": ("address add 192.168.9.9/24 dev tun_a", "addresses", "192.168.9.9/24"),
    "address with another length": ("address add 192.168.1.1/25 dev tun_a", "addresses", "192.168.1.1/25"),
    "set down": ("link set tun_a down", "enabled", "false"),
    "MTU changed": ("link set tun_a mtu 1300", None, None),
    "route removed": ("route del 10.20.0.0/16 metric 100", "routes", "absent"),
    "route of ours added": ("route add 10.30.0.0/16 dev tun_a proto 116", "routes", "10.30.0.0/16"),
    "group changed": ("link set tun_a group 0", "group", "0"),
    "alias changed": ("link set tun_a alias mine", "alias", "mine"),
    "renamed": ("link set tun_a down\nlink set tun_a name somebody0", "name", "somebody0"),
}
KERNEL_CHANGES = {
    "remote changed": ("link set tun_a type ipip remote 172.16.7.7", "remote", "172.16.7.7"),
    "ttl changed": ("link set tun_a type ipip ttl 9 pmtudisc", "ttl", "9"),
}
BPF_CHANGES = {
    "program removed": ("filter del dev tun_a egress", "programs", "missing"),
    "program's place removed": ("qdisc del dev tun_a clsact", "programs", "missing"),
    "underlay's program removed": ("filter del dev underlay0 ingress", "programs", "missing"),
    "underlay's place removed": ("qdisc del dev underlay0 clsact", "programs", "missing"),
}
ALL_CHANGES = CHANGES | KERNEL_CHANGES | BPF_CHANGES


@pytest.mark.parametrize(
    "change",
    [
        *CHANGES,
        *(pytest.param(change, marks=pytest.mark.data_plane("kernel")) for change in KERNEL_CHANGES),
        *(pytest.param(change, marks=pytest.mark.data_plane("bpf")) for change in BPF_CHANGES),
    ],
)
def test_a_change_is_repaired_within_a_second(daemon, change):
    command, field, observed = ALL_CHANGES[change]
    kernel = daemon.host.kernel
    wanted = ours(kernel)
    before = daemon.tunnel("tun_a")["status"]["drift"]
    lines = len(daemon.logged("drift", "tun_a"))
    daemon.host.batch("tc" if change in BPF_CHANGES else "ip", [command])
    changed = time.monotonic()
    until(lambda: ours(kernel) == wanted, 1, f"{command} is repaired")
    print(f"repaired {time.monotonic() - changed:.3f} s after ip ended")
    assert "somebody0" not in kernel.links()
    until(lambda: daemon.tunnel("tun_a")["status"]["state"] == "up", 1, "the status is up")
    index = kernel.links()["tun_a"].index
    until(lambda: daemon.tunnel("tun_a")["status"]["ifindex"] == index, 1, "the status has the link's number")
    if field is None:
        # The tunnel leaves its MTU to the underlay: put right, but not called somebody's change.
        return
    until(lambda: daemon.tunnel("tun_a")["status"]["drift"] != before, 1, "the drift is told")
    status = daemon.tunnel("tun_a")["status"]
    drift = status["drift"][0]
    assert drift["field"] == field and observed in drift["observed"], status
    assert drift["repaired_at"] >= drift["found_at"], status
    assert len(daemon.logged("drift", "tun_a", field)) > 0 and len(daemon.logged("drift", "tun_a")) > lines


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(
            "link set s1 down\nlink set s2 down\nlink set s1 name x\nlink set s2 name s1\nlink set x name s2",
            id="names",
        ),
        pytest.param(
            "link set s1 type ipip remote 172.16.8.9\nlink set s2 type ipip remote 172.16.8.1\n"
            "link set s1 type ipip remote 172.16.8.2",
            id="remotes",
            marks=pytest.mark.data_plane("kernel"),
        ),
    ],
)
def test_links_in_each_others_place_are_put_right(daemon, commands):
    for number in (1, 2):
        daemon.create(name=f"s{number}", local="172.16.16.22", remote=f"172.16.8.{number}")
    wanted = kernel_view(daemon.host.kernel)
    # It would put right the first while the second is being changed.
    with daemon.paused():
        daemon.host.ip(commands)
        assert kernel_view(daemon.host.kernel) != wanted
    until(lambda: kernel_view(daemon.host.kernel) == wanted, 3, "both are right")
    for number in (1, 2):
        until(lambda: daemon.tunnel(f"s{number}")["status"]["state"] == "up", 1, "both are up")


@pytest.mark.data_plane("kernel")
def test_a_link_moved_to_another_namespace_is_told(daemon):
    daemon.create(name="tun_moved", local="172.16.16.22", remote="172.16.1.74")
    with closing(Host()) as elsewhere:
        daemon.host.ip(f"link set tun_moved netns {elsewhere.path}")
        until(lambda: daemon.tunnel("tun_moved")["status"]["state"] == "failed", 2, "failed")
        detail = daemon.tunnel("tun_moved")["status"]["problem"]["detail"]
        assert "namespace" in detail, detail
        elsewhere.ip("link del tun_moved")
        until(lambda: daemon.tunnel("tun_moved")["status"]["state"] == "up", 5, "up when it is gone")


@pytest.mark.data_plane("bpf")
def test_a_link_moved_to_another_namespace_is_made_anew(daemon):
    """Endpoints belong to the programs' maps here, and so to this namespace."""
    wanted = ours(daemon.host.kernel)
    with closing(Host()) as elsewhere:
        daemon.host.ip(f"link set tun_a netns {elsewhere.path}")
        until(lambda: ours(daemon.host.kernel) == wanted, 1, "tun_a is there again")
        until(lambda: daemon.tunnel("tun_a")["status"]["state"] == "up", 1, "tun_a is up")
        assert elsewhere.kernel.links()["tun_a"].kind == "tun", "somebody's doing, and somebody's to delete"


def test_an_mtu_that_was_chosen_is_drift(daemon):
    daemon.create(name="tun_mtu", remote="172.16.1.70", mtu=1400)
    daemon.host.ip("link set tun_mtu mtu 1300")
    until(lambda: daemon.host.kernel.links()["tun_mtu"].mtu == 1400, 1, "1400 again")
    until(lambda: daemon.tunnel("tun_mtu")["status"]["drift"], 1, "the drift is told")
    drift = daemon.tunnel("tun_mtu")["status"]["drift"][0]
    assert (drift["field"], drift["desired"], drift["observed"]) == ("mtu", "1400", "1300")


def test_a_link_made_anew_begins_an_epoch(daemon):
    daemon.create(name="tun_epoch", local="172.16.16.22", remote="172.16.1.71")
    path = "/v1/tunnels/tun_epoch/stats?fresh=true"
    first = daemon.get(path).json
    daemon.host.ip("link del tun_epoch")
    until(lambda: "tun_epoch" in daemon.host.kernel.links(), 1, "the link is there again")
    until(lambda: daemon.get(path).json["epoch"] == first["epoch"] + 1, 1, "another epoch")
    assert daemon.get(path).json["ifindex"] != first["ifindex"]
    daemon.restart()
    assert daemon.get(path).json["epoch"] == first["epoch"] + 1


@pytest.mark.parametrize(
    "obstacle, slug",
    [
        pytest.param("link add tun_b type ifb", "name-taken", id="name-taken"),
        pytest.param(
            "link add somebody0 type ipip local 172.16.16.22 remote 172.16.1.73",
            "endpoints-taken",
            id="endpoints-taken",
            marks=pytest.mark.data_plane("kernel"),
        ),
    ],
)
def test_a_link_of_somebody_else_in_its_place_is_told_and_left_alone(daemon, obstacle, slug):
    daemon.create(name="tun_b", local="172.16.16.22", remote="172.16.1.73")
    name = obstacle.split()[2]
    daemon.host.ip("link del tun_b", obstacle)
    until(lambda: daemon.tunnel("tun_b")["status"]["state"] == "failed", 2, "tun_b is shown as failed")
    problem = daemon.tunnel("tun_b")["status"]["problem"]
    assert problem["type"] == f"/problems/{slug}" and name in problem["detail"], problem
    assert daemon.tunnel("tun_a")["status"]["state"] == "up", "others aren't hindered"
    assert daemon.host.kernel.links()[name].group == 0
    daemon.host.ip(f"link del {name}")
    until(lambda: daemon.tunnel("tun_b")["status"]["state"] == "up", 3, "tun_b is up when it is gone")
    assert daemon.host.kernel.links()["tun_b"].kind == Daemon.link_kinds[Daemon.kind]


def test_a_storm_of_changes_costs_few_looks(daemon):
    begin, looks = time.monotonic(), metric(daemon, "tunneld_looks_total")[0]
    for _ in range(3):
        daemon.host.ip(*["link add storm0 type ifb\nlink del storm0"] * 50)
    looks = metric(daemon, "tunneld_looks_total")[0] - looks
    print(f"{looks:.0f} looks in {time.monotonic() - begin:.1f} s")
    assert looks <= 5 * (time.monotonic() - begin) + 2


def test_changes_while_it_is_stopped_are_repaired_at_the_start(daemon):
    wanted = ours(daemon.host.kernel)
    assert daemon.stop() == 0
    remote = "link set tun_a type ipip remote 172.16.7.7" if Daemon.kind == "kernel" else "link set tun_a group 0"
    daemon.host.ip(remote, "address del 192.168.1.1/24 dev tun_a")
    daemon.start()
    assert ours(daemon.host.kernel) == wanted
    assert daemon.stop() == 0
    daemon.host.ip("link del tun_a")
    daemon.start()
    assert ours(daemon.host.kernel) == wanted


def test_a_reboot_brings_the_tunnels_back(daemon):
    """A reboot leaves the database and nothing of the kernel's state: another namespace stands for it."""
    wanted = ours(daemon.host.kernel)
    assert daemon.stop() == 0
    old = daemon.host
    with joined_hosts() as (rebooted, _):
        daemon.host = rebooted
        try:
            daemon.start()
            assert ours(rebooted.kernel) == wanted
            assert daemon.tunnel("tun_a")["status"]["state"] == "up"
            assert daemon.stop() == 0
        finally:
            daemon.host = old
    daemon.start()


def test_an_underlay_that_comes_later_is_used_then(daemon):
    daemon.host.ip("link add later0 type ifb")
    daemon.create(name="tun_later", remote="172.16.1.72", underlay="later0")
    daemon.host.ip("link del later0")
    until(lambda: daemon.tunnel("tun_later")["status"]["state"] == "failed", 2, "failed without its underlay")
    assert "later0" in daemon.tunnel("tun_later")["status"]["problem"]["detail"]
    daemon.host.ip("link add later0 type ifb")
    until(lambda: daemon.tunnel("tun_later")["status"]["state"] == "up", 3, "up again with it")
    links = daemon.host.kernel.links()
    assert links["tun_later"].tunnel[5] == links["later0"].index
    daemon.host.ip("link del later0")
