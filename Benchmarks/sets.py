"""Whole sets of tunnels, applied and deleted by one request each, against the same messages sent raw and against what a
script would do. For a kernel with ipip."""

import http.client
import json
import statistics
import tempfile
import time
from pathlib import Path

from harness import BIN, ROUNDS, output, running, values


def tunnels(count):
    """As netlink_raw makes them."""
    return [{"name": f"t{i}", "local": "172.16.16.22", "remote": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
             "mtu": 1480, "addresses": [f"11.{4 * i >> 16 & 255}.{4 * i >> 8 & 255}.{(4 * i & 255) + 1}/30"]}
            for i in range(1, count + 1)]


class Sets:
    """Applies sets at one daemon."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.headers = {"Authorization": f"Bearer {daemon.token()}", "Content-Type": "application/json"}

    def apply(self, wanted, **options):
        """Makes them all there is; gives the microseconds that it took."""
        body = json.dumps({"tunnels": wanted, "prune": True} | options)
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=120)
        connection.connect()
        begun = time.perf_counter()
        connection.request("POST", "/v1/apply", body, self.headers)
        answer = connection.getresponse()
        text = answer.read()
        took = 1e6 * (time.perf_counter() - begun)
        if answer.status != 200:
            raise SystemExit(f"apply: {answer.status} {text.decode()[:1000]}")
        return took

    def plan(self, wanted):
        """The milliseconds that the plan alone takes."""
        self.apply(wanted)
        took = []
        for _ in range(ROUNDS):
            self.apply(wanted, dry_run=True)
            took.append(1e3 * self.daemon.metric("tunneld_plan_seconds"))
        self.apply([])
        return statistics.median(took)


def raw(mode, count):
    return count * values(BIN / "netlink_raw", mode, count)["us_each"]


def ip_batch(count):
    """What a script would do with one `ip -batch`."""
    lines = []
    for one in tunnels(count):
        name = one["name"]
        lines += [f"link add name {name} mtu 1480 group 7777 type ipip local {one['local']} remote {one['remote']}",
                  f"link set dev {name} alias {name} up", f"address add {one['addresses'][0]} dev {name}"]
    with tempfile.NamedTemporaryFile("w", suffix=".batch") as batch:
        batch.write("\n".join(lines))
        batch.flush()
        begun = time.perf_counter()
        output("ip", "-batch", Path(batch.name))
        took = 1e6 * (time.perf_counter() - begun)
    raw("delete-group", 1)
    return took


def measure_size(sets, count):
    """Create and delete, ours and raw: medians. One after the other, since both use the same endpoints."""
    rounds = []
    for _ in range(ROUNDS):
        create, delete = sets.apply(tunnels(count)), sets.apply([])
        rounds.append((create, raw("create-batch", count), delete, raw("delete-group", count)))
    return [statistics.median(column) for column in zip(*rounds)]


def measure_sets(tunneld, folder):
    with running(tunneld, folder) as daemon:
        sets = Sets(daemon)
        thousand = measure_size(sets, 1000)
        more = measure_size(sets, 5000)
        script = ip_batch(1000)
        small, large = sets.plan(tunnels(1000)), sets.plan(tunnels(10_000))
    return {"apply": thousand[:2], "remove": thousand[2:], "apply_5000": more[:2], "remove_5000": more[2:],
            "apply_ip": [thousand[0], script], "plan": [large, 1], "plan_growth": [large / 10, small]}
