"""The underlay belongs to others: what they have put on it stays as it is and goes on seeing packets, and of ours
nothing stays longer than a tunnel."""

from contextlib import closing

import maps
import pytest
from daemon import metric
from ends import INNER_B, TUN_A, TUN_B, A, B
from host import until
from maps import PacketCounter
from netlink import EGRESS, INGRESS

pytestmark = [pytest.mark.packets, pytest.mark.data_plane("bpf")]


@pytest.fixture
def counter():
    with closing(PacketCounter()) as counter:
        yield counter


def theirs(kernel):
    return [filter for filter in kernel.filters() if filter.name == "somebodys"]


def ours(kernel):
    return [filter for filter in kernel.filters() if filter.name != "somebodys"]


def place_filters(host, counter, priority):
    host.tc("qdisc add dev underlay0 clsact")
    for parent in (INGRESS, EGRESS):
        host.kernel.add_filter("underlay0", parent, counter.program, priority=priority)


@pytest.mark.parametrize("priority", [1, 0x7000], ids=["first", "in between"])
def test_filters_of_others_stay_and_see_all_packets(two_daemons, counter, priority):
    on_a, on_b = two_daemons
    host = on_a.host
    place_filters(host, counter, priority)
    before, wanted = host.kernel.state(), theirs(host.kernel)
    assert len(wanted) == 2 and host.kernel.clsacts() == [host.kernel.links()["underlay0"].index]
    on_b.create(**TUN_B)

    def see(count):
        """So many pings are answered, and both filters see each of them."""
        seen = counter.seen
        assert host.ping(INNER_B, count) == count
        assert counter.seen - seen >= 2 * count

    on_a.create(**TUN_A)
    assert theirs(host.kernel) == wanted and len(ours(host.kernel)) == 2
    see(5)
    on_a.restart()
    assert metric(on_a, "tunneld_kernel_changes_total") == [0]
    see(5)
    on_a.kill()
    see(5)
    on_a.start()
    assert theirs(host.kernel) == wanted and metric(on_a, "tunneld_kernel_changes_total") == [0]
    see(5)
    assert on_a.delete("tun_a").status == 204
    assert host.kernel.state() == before
    seen = counter.seen
    assert host.ping(B, 3) == 3 and counter.seen >= seen + 6


def test_a_filter_behind_ours_stays_and_sees_what_is_not_a_tunnels(both_ends, counter):
    """Where its owner chose no priority: what came through the cable for a tunnel is the tunnel's."""
    on_a, _ = both_ends
    host = on_a.host
    assert on_a.delete("tun_a").status == 204
    place_filters(host, counter, priority=0)
    wanted = theirs(host.kernel)
    on_a.create(**TUN_A)
    assert theirs(host.kernel) == wanted
    assert host.ping(B, 3) == 3 and counter.seen >= 6
    assert host.ping(INNER_B, 3) == 3 and counter.seen >= 6 + 3
    assert on_a.delete("tun_a").status == 204
    assert host.kernel.filters() == wanted


@pytest.mark.parametrize("priority", [0, 1], ids=["behind ours", "first"])
def test_filters_that_come_later_stay(both_ends, counter, priority):
    """On the clsact that we made: it stays when the tunnel goes, because it is theirs too now."""
    on_a, _ = both_ends
    host = on_a.host
    for parent in (INGRESS, EGRESS):
        host.kernel.add_filter("underlay0", parent, counter.program, priority=priority)
    wanted, ways = theirs(host.kernel), 2 if priority else 1
    assert host.ping(INNER_B, 5) == 5 and counter.seen >= 5 * ways
    on_a.restart()
    assert theirs(host.kernel) == wanted
    seen = counter.seen
    assert host.ping(INNER_B, 5) == 5 and counter.seen >= seen + 5 * ways
    assert on_a.delete("tun_a").status == 204
    assert host.kernel.filters() == wanted
    seen = counter.seen
    assert host.ping(B, 3) == 3 and counter.seen >= seen + 6


@pytest.mark.parametrize("place", ["clsact", "ingress"])
def test_a_place_for_filters_of_somebody_else_stays(both_ends, place):
    """The older kind too, which many who shape what comes in have."""
    on_a, _ = both_ends
    assert on_a.delete("tun_a").status == 204
    on_a.host.tc(f"qdisc add dev underlay0 {place}")
    before = on_a.host.kernel.state()
    on_a.create(**TUN_A)
    assert on_a.host.ping(INNER_B, 2) == 2
    on_a.restart()
    assert metric(on_a, "tunneld_kernel_changes_total") == [0]
    assert on_a.delete("tun_a").status == 204
    assert on_a.host.kernel.state() == before


def test_what_a_killed_daemon_left_at_an_ingress_qdisc_goes_too(daemon):
    kernel = daemon.host.kernel
    daemon.host.tc("qdisc add dev underlay0 ingress")
    before = kernel.state()
    daemon.create(**TUN_A)
    daemon.kill()
    daemon.host.ip("link del tun_a")
    daemon.database.unlink()
    daemon.start()
    until(lambda: kernel.state() == before, 1, "the underlay is as it was")


@pytest.mark.parametrize("end", ["delete", "delete after kill -9", "delete after a restart", "disable"])
def test_with_no_tunnel_left_nothing_of_ours_is_on_the_host(daemon, end):
    kernel = daemon.host.kernel
    before = kernel.state()
    for number in range(3):
        daemon.create(name=f"tun_{number}", local=A, remote=f"172.16.1.{number + 1}")
    programs = {filter.program for filter in ours(kernel)}
    used = {identity for program in programs for identity in maps.map_ids(program)}
    assert len(programs) == 2 and len(used) >= 6
    if end == "delete after kill -9":
        daemon.kill()
        daemon.start()
    elif end == "delete after a restart":
        daemon.restart()
    elif end == "disable":
        for number in range(3):
            assert daemon.patch(f"tun_{number}", {"enabled": False}).status == 200
    for number in range(3):
        assert daemon.delete(f"tun_{number}").status == 204
    assert kernel.state() == before
    assert daemon.stop() == 0
    # The kernel frees them a little later.
    until(lambda: not any(maps.exists(maps.PROGRAM_BY_ID, program) for program in programs), 5, "programs gone")
    until(lambda: not any(maps.exists(maps.MAP_BY_ID, identity) for identity in used), 5, "maps gone")


def test_links_removed_while_the_daemon_is_away_leave_nothing(daemon):
    """The underlay's program has no tunnel any more then; the next start takes it away."""
    kernel = daemon.host.kernel
    before = kernel.state()
    daemon.create(**TUN_A)
    assert daemon.stop() == 0
    daemon.host.ip("link del tun_a")
    daemon.database.unlink()
    daemon.start()
    assert daemon.tunnels() == {}
    until(lambda: kernel.state() == before, 1, "the underlay is as it was")


def test_links_by_which_no_tunnel_is_reached_are_untouched(both_ends):
    """A tunnel that is bound to its underlay has none but that; and nothing comes in by a link that has no address."""
    on_a, on_b = both_ends
    kernel = on_a.host.kernel
    on_a.host.ip("link add idle0 type ifb", "link set idle0 up")
    on_a.host.join(on_b.host, "10.77.0.1/24", "10.77.0.2/24", link="other0")

    def programmed():
        names = {link.index: name for name, link in kernel.links().items()}
        return {names[filter.index] for filter in kernel.filters()}

    until(lambda: programmed() == {"tun_a", "underlay0", "other0"}, 1, "links with an address have the program")
    assert on_a.patch("tun_a", {"underlay": "underlay0"}).status == 200
    until(lambda: programmed() == {"tun_a", "underlay0"}, 1, "only the underlay has it")
    assert on_a.host.ping("10.77.0.2", 2) == 2 and on_a.host.ping(INNER_B, 2) == 2


@pytest.mark.parametrize(
    "command",
    ["filter del dev underlay0 ingress", "qdisc del dev underlay0 clsact", "filter del dev tun_a egress"],
)
def test_what_somebody_removed_is_repaired_and_carries_again(both_ends, command):
    on_a, _ = both_ends
    assert on_a.host.ping(INNER_B, 1) == 1
    on_a.host.tc(command)
    with closing(on_a.host.pinger()) as pinger:
        until(lambda: pinger.echo(INNER_B, 0.05), 1, "it carries again")
    until(lambda: on_a.tunnel("tun_a")["status"]["drift"], 1, "the drift is told")
    drift = on_a.tunnel("tun_a")["status"]["drift"][0]
    assert (drift["field"], drift["desired"], drift["observed"]) == ("programs", "attached", "missing")
    assert drift["repaired_at"] >= drift["found_at"]
