"""Statistics: rates without spikes, and totals that outlive links, daemons and reboots."""

import threading

import pytest
from ends import INNER_B, TUN_A, TUN_B, Stream
from host import until
from samples import SampleStream

TUNNELS = 10
# More than a link here can carry: what a counter that began again would look like.
SPIKE = 1e12


def totals(daemon, name):
    """rx packets, tx packets, and all of it."""
    found = daemon.get(f"/v1/tunnels/{name}/stats?fresh=true").json["totals"]
    return found["rx"]["packets"], found["tx"]["packets"], found


def epoch(daemon):
    return daemon.get("/v1/tunnels/tun_a/stats?fresh=true").json["epoch"]


def numbers(value):
    """All numbers in a value."""
    if isinstance(value, dict):
        for member in value.values():
            yield from numbers(member)
    elif isinstance(value, (int, float)):
        yield value


class Checker:
    """What must hold of all samples that one reader sees."""

    def __init__(self):
        self.samples = 0
        self.last = {}

    def check(self, sample):
        self.samples += 1
        for item in sample["items"]:
            for rates in item["rates"], item["rates_minute"]:
                assert all(0 <= number < SPIKE for number in numbers(rates)), item
            now = [number for key in ("rx", "tx") for number in item["totals"][key].values()]
            before = self.last.get(item["id"], now)
            assert all(a <= b for a, b in zip(before, now)), (before, item)
            self.last[item["id"]] = now


class Poller(threading.Thread):
    """A dashboard."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.client = daemon.client()
        self.checker = Checker()
        self.fault = None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.wait(0.02):
                answer = self.client.get("/v1/stats?fresh=true")
                assert answer.status == 200, answer
                self.checker.check(answer.json)
        except Exception as fault:  # told in the test's own thread
            self.fault = fault
        self.client.close()

    def finish(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive() and not self.fault, self.fault


@pytest.mark.packets
def test_a_tunnel_recreated_a_hundred_times_under_a_dashboard(two_hosts, two_daemons):
    """By DELETE and POST, and by `ip link del` behind the daemon's back."""
    (a, b), (on_a, on_b) = two_hosts, two_daemons
    on_a.create(**TUN_A)
    on_b.create(**TUN_B)
    others = [f"other{number}" for number in range(TUNNELS)]
    for number, name in enumerate(others):
        on_a.create(name=name, remote=f"172.16.9.{number + 1}")
    poller = Poller(on_a)
    poller.start()
    stream, checker = SampleStream(on_a), Checker()
    with Stream(a, b, INNER_B):
        for round in range(100):
            if round % 2:
                assert on_a.delete("tun_a").status == 204
                on_a.create(**TUN_A)
            else:
                # Each at most ten times within a minute, which is the bound of repairs.
                name = others[round // 2 % TUNNELS]
                before = on_a.tunnel(name)["status"]["ifindex"]
                a.ip(f"link del {name}")
                until(lambda: on_a.tunnel(name)["status"]["ifindex"] not in (before, None), 20, f"{name} is back")
            for sample in stream.newest():
                checker.check(sample)
        until(lambda: [checker.check(sample) for sample in stream.newest()], 20, "a last sample")
    poller.finish()
    stream.close()
    assert poller.checker.samples > 50 and checker.samples > 5
    print(f"{poller.checker.samples} samples polled, {checker.samples} streamed")


@pytest.mark.packets
def test_totals_outlive_kills_restarts_and_links(two_hosts, both_ends):
    (a, b), (on_a, on_b) = two_hosts, both_ends
    with Stream(a, b, INNER_B) as stream:
        until(lambda: totals(on_a, "tun_a")[1] > 200, 20, "packets")
        on_a.kill()
        on_a.start()
        # Nothing was stored yet, and the link counted on.
        sent = stream.sent
        until(lambda: totals(on_a, "tun_a")[1] >= sent, 20, "what was counted while no daemon ran")
        before = totals(on_a, "tun_a")
        on_a.restart()
        assert all(x <= y for x, y in zip(before[:2], totals(on_a, "tun_a")[:2]))
    until(lambda: stream.sent == totals(on_a, "tun_a")[1], 20, "each packet is counted once")
    total = totals(on_a, "tun_a")[2]

    # Another link, made while a daemon runs, and one made while none does.
    a.ip("link del tun_a")
    until(lambda: epoch(on_a) == 2, 20, "the link is back")
    assert totals(on_a, "tun_a")[2] == total
    assert on_a.stop() == 0
    a.ip("link del tun_a")
    on_a.start()
    assert totals(on_a, "tun_a")[2] == total
    with Stream(a, b, INNER_B) as more:
        until(lambda: totals(on_a, "tun_a")[1] > total["tx"]["packets"] + 100, 20, "packets")
    until(lambda: totals(on_a, "tun_a")[1] == stream.sent + more.sent, 20, "each packet is counted once")
    assert on_a.stop() == 0
    assert on_a.rows("SELECT count(*), sum(tx_packets) FROM tunnel_total") == [(1, stream.sent + more.sent)]
    on_a.start()
    assert totals(on_a, "tun_a")[1] == stream.sent + more.sent
    assert total["since"] == on_a.tunnel("tun_a")["created_at"]


@pytest.mark.packets
@pytest.mark.data_plane("kernel")
def test_the_last_packets_of_a_link_that_others_delete_count(two_hosts, both_ends):
    """The kernel tells of them with the removal."""
    (a, b), (on_a, _) = two_hosts, both_ends
    assert totals(on_a, "tun_a")[1] == 0
    with Stream(a, b, INNER_B) as stream:
        until(lambda: stream.sent > 500, 20, "packets")
    a.ip("link del tun_a")
    until(lambda: epoch(on_a) == 2, 20, "the link is back")
    assert totals(on_a, "tun_a")[1] == stream.sent
