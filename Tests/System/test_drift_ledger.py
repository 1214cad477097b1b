"""Each change that somebody else makes is in the ledger once, and handled as the tunnel's policy has it."""

import random
import subprocess
import time
from contextlib import closing
from datetime import datetime

import pytest
from conftest import joined_hosts, started_daemon
from daemon import Daemon, metric
from host import Host, until

POLICIES = ("enforce", "alert", "adopt")
CHANGES = 500
IN_A_ROUND = 25
TUNNELS = 72


@pytest.fixture(scope="module")
def daemon():
    with joined_hosts() as (a, _), started_daemon(a) as daemon:
        a.ip("link add somebody0 type ifb")
        yield daemon


def rows(daemon, tunnel, query="limit=1000"):
    """The ledger of one tunnel, the newest first."""
    answer = daemon.get(f"/v1/tunnels/{tunnel}/drift?{query}")
    assert answer.status == 200, answer
    return answer.json["items"]


def seconds(time_text):
    return datetime.fromisoformat(time_text).timestamp()


class Change:
    """One change of a tunnel's link by somebody's hand: the commands, and the row that they make."""

    def __init__(self, tunnel, commands, field, desired, observed, elsewhere=None):
        self.tunnel = tunnel
        self.commands = commands
        self.row = (field, desired, observed)
        # The other namespace's command that ends a moved link.
        self.elsewhere = elsewhere


def choices(tunnel, number, elsewhere):
    """What can be done to a tunnel's link as it is: kind → change."""
    name, made = tunnel["name"], {}

    def add(kind, commands, field, desired, observed, elsewhere=None):
        made[kind] = Change(tunnel, commands, field, desired, observed, elsewhere)

    add("delete", [f"link del {name}"], "link", "present", "absent")
    add("move", [f"link set {name} netns {elsewhere.path}"], "link", "present", "absent", f"link del {name}")
    other = f"t{number}" if name != f"t{number}" else f"t{number}x"
    renaming = [f"link set {name} down", f"link set {name} name {other}", f"link set {other} up"]
    add("rename", renaming, "name", name, other)
    is_up = tunnel["enabled"]
    words = [str(not is_up).lower(), str(is_up).lower()]
    add("up or down", [f"link set {name} {'down' if is_up else 'up'}"], "enabled", words[1], words[0])
    mtu = 1300 if tunnel["mtu"] != 1300 else 1280
    add("mtu", [f"link set {name} mtu {mtu}"], "mtu", str(tunnel["mtu"]), str(mtu))
    address = f"10.77.{number}.{random.randrange(1, 255)}/32"
    if address not in tunnel["addresses"]:
        add("add address", [f"address add {address} dev {name}"], "addresses", "absent", address)
    for address in tunnel["addresses"][1:]:
        add("remove address", [f"address del {address} dev {name}"], "addresses", address, "absent")
    if is_up:
        route = f"10.78.{number}.{random.randrange(1, 255)}/32"
        if route not in [known["to"] for known in tunnel["routes"]]:
            text = f"{route} metric 0"
            add("add route", [f"route add {route} dev {name} proto 116"], "routes", "absent", text)
        for route in tunnel["routes"]:
            text = f"{route['to']} metric {route['metric']}"
            words = f"{route['to']} dev {name} proto 116 metric {route['metric']}"
            add("remove route", [f"route del {words}"], "routes", text, "absent")
    else:
        del made["rename"]
    if Daemon.kind == "kernel":
        kind = f"link set {name} type ipip"
        remote = f"172.20.{number}.{random.randrange(1, 255)}"
        if remote != tunnel["remote"]:
            add("remote", [f"{kind} remote {remote}"], "remote", tunnel["remote"], remote)
        ttl = "9" if tunnel["ttl"] != 9 else "11"
        add("ttl", [f"{kind} ttl {ttl} pmtudisc"], "ttl", str(tunnel["ttl"]), ttl)
    return made


# What a change brings along, besides its own row.
CONSEQUENCES = {"enabled": {"routes"}, "name": {"routes", "enabled"}, "addresses": {"routes"}}


def link_of(daemon, ifindex):
    """The link with its addresses and routes; None where there is none."""
    kernel = daemon.host.kernel
    found = [link for link in kernel.links().values() if link.index == ifindex]
    if not found:
        return None
    addresses = sorted(a for a in kernel.addresses() if a.index == ifindex)
    return found[0], addresses, sorted(r for r in kernel.routes() if r.index == ifindex and r.protocol == 116)


def expect_new_rows(daemon, change, before, changed_at):
    """Its row is there, once; others are what it brought along."""
    tunnel, policy = change.tunnel["id"], change.tunnel["drift_policy"]

    def new():
        fresh = [row for row in rows(daemon, tunnel) if row["id"] not in before]
        found = [row for row in fresh if (row["field"], row["desired"], row["observed"]) == change.row]
        state = daemon.tunnel(tunnel)["status"]["state"]
        if policy == "alert":
            return fresh if found and state == "drifted" else None
        is_done = found and state in ("up", "down") and all(row["closed_at"] for row in fresh)
        return fresh if is_done else None

    fresh = until(new, 5, f"{policy}: {change.row} after {change.commands} is in the ledger")
    own = [row for row in fresh if (row["field"], row["desired"], row["observed"]) == change.row]
    assert len(own) == 1, fresh
    others = {row["field"] for row in fresh} - {change.row[0]}
    assert others <= CONSEQUENCES.get(change.row[0], set()), fresh
    assert seconds(own[0]["found_at"]) - changed_at < 1, "found within a second"
    return own[0], fresh


def expect_handled(daemon, change, link, row, fresh):
    before = change.tunnel
    after = daemon.tunnel(before["id"])
    wanted = {name: value for name, value in before.items() if name not in ("status", "revision", "updated_at")}
    stored = {name: after[name] for name in wanted}
    policy = before["drift_policy"]
    if policy == "alert":
        assert stored == wanted and after["revision"] == before["revision"]
        assert after["status"]["state"] == "drifted" and row["outcome"] is None, (after, row)
        assert link_of(daemon, before["status"]["ifindex"]) == link, "nothing was touched"
        return
    assert after["status"]["state"] == ("up" if after["enabled"] else "down") and row["closed_at"], (after, row)
    if policy == "enforce" or change.row[0] == "link":
        assert stored == wanted and row["outcome"] == "repaired", (stored, wanted, row)
        return
    assert row["outcome"] == "adopted" and after["revision"] == before["revision"] + 1, (after, row)
    field, desired, observed = change.row
    if field in ("addresses", "routes"):
        texts = [f"{r['to']} metric {r['metric']}" if field == "routes" else r for r in after[field]]
        assert (observed in texts) if desired == "absent" else (desired not in texts), after
    else:
        assert str(after[field]).lower() == observed, after
    same = {name for name in wanted if name != field}
    assert {name: stored[name] for name in same} == {name: wanted[name] for name in same}, (stored, wanted)


def test_five_hundred_changes_are_each_recorded_once_and_handled(daemon):
    random.seed(4)
    host = daemon.host
    ids = []
    for number in range(TUNNELS):
        made = daemon.create(
            name=f"t{number}",
            local="172.16.16.22",
            remote=f"172.20.{number}.1",
            mtu=1400,
            addresses=[f"10.79.{number}.1/24"],
            routes=[{"to": f"10.80.{number}.0/24", "metric": 5}],
            drift_policy=POLICIES[number % 3],
        )
        ids.append(made["id"])
    known = {id: set() for id in ids}
    kinds, order, slowest = {}, [], 0
    done = 0
    with closing(Host()) as elsewhere:
        while done < CHANGES:
            # In turn, so that none is repaired more often than is allowed.
            if len(order) < IN_A_ROUND:
                order += random.sample(range(TUNNELS), TUNNELS)
            numbers = list(dict.fromkeys(order[:IN_A_ROUND]))
            del order[:IN_A_ROUND]
            changes = []
            for number in numbers:
                possible = choices(daemon.tunnel(ids[number]), number, elsewhere)
                if any(kind == "rename" for kind, _ in changes):
                    possible.pop("rename", None)
                changes.append(random.choice(list(possible.items())))
            # A renaming takes three steps, which one look must see together.
            changes.sort(key=lambda change: change[0] != "rename")
            with daemon.paused():
                host.ip(*[command for _, change in changes for command in change.commands])
            changed_at = time.time()
            links = {c.tunnel["id"]: link_of(daemon, c.tunnel["status"]["ifindex"]) for _, c in changes
                     if c.tunnel["drift_policy"] == "alert"}
            moved = [change.elsewhere for _, change in changes if change.elsewhere]
            if moved:
                elsewhere.ip(*moved)
            for kind, change in changes:
                id = change.tunnel["id"]
                row, fresh = expect_new_rows(daemon, change, known[id], changed_at)
                slowest = max(slowest, seconds(row["found_at"]) - changed_at)
                expect_handled(daemon, change, links.get(id), row, fresh)
                kinds[kind] = kinds.get(kind, 0) + 1
            for _, change in changes:
                id = change.tunnel["id"]
                if change.tunnel["drift_policy"] == "alert":
                    # A write ends it, also one that changes nothing.
                    assert daemon.patch(id, {}).json["status"]["state"] in ("up", "down")
                    assert rows(daemon, id, "open=true") == []
                known[id] = {row["id"] for row in rows(daemon, id)}
            done += len(changes)
    print(f"{done} changes: {kinds}; the slowest was found {slowest:.2f} s after the last of its round")
    assert len(kinds) == (11 if Daemon.kind == "kernel" else 9), kinds
    # Nothing came later, and none of it was taken for a quarrel.
    time.sleep(0.5)
    assert all({row["id"] for row in rows(daemon, id)} == known[id] for id in ids)
    assert metric(daemon, "tunneld_repairs_suspended") == [0]
    assert metric(daemon, "tunneld_drifts_total") == [sum(map(len, known.values()))]
    for name in daemon.tunnels():
        assert daemon.delete(name).status == 204


def test_a_process_that_stays_is_named(daemon):
    daemon.create(name="by", remote="172.21.0.1", drift_policy="alert")
    with daemon.host.inside():
        ip = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
    try:
        ip.stdin.write("address add 10.81.0.1/32 dev by\n")
        ip.stdin.flush()
        row = until(lambda: rows(daemon, "by"), 2, "the ledger has it")[0]
        assert (row["field"], row["pid"], row["program"]) == ("addresses", ip.pid, "ip"), row
    finally:
        ip.stdin.close()
        ip.wait(10)
    daemon.host.ip("address del 10.81.0.1/32 dev by")
    until(lambda: rows(daemon, "by")[0]["outcome"] == "withdrawn", 2, "withdrawn")
    assert daemon.tunnel("by")["status"]["state"] == "up"
    assert daemon.delete("by").status == 204


def test_a_quarrel_is_ended_and_told(daemon):
    daemon.create(name="rival", remote="172.21.0.2", mtu=1400)
    for mtu in range(1300, 1311):
        daemon.host.ip(f"link set rival mtu {mtu}")
        until(lambda mtu=mtu: rows(daemon, "rival") and rows(daemon, "rival")[0]["observed"] == str(mtu), 2, "found")
    problem = until(lambda: daemon.tunnel("rival")["status"]["problem"], 1, "told")
    assert problem["type"] == "/problems/repair-suspended" and "mtu" in problem["detail"], problem
    assert daemon.tunnel("rival")["status"]["state"] == "drifted"
    assert daemon.host.kernel.links()["rival"].mtu == 1310, "left alone"
    assert metric(daemon, "tunneld_repairs_suspended") == [1]
    assert daemon.patch("rival", {"comment": "mine"}).json["status"]["state"] == "up"
    assert daemon.host.kernel.links()["rival"].mtu == 1400
    assert daemon.delete("rival").status == 204


def test_what_is_open_is_known_after_a_kill(daemon):
    daemon.create(name="kept", remote="172.21.0.3", mtu=1400, drift_policy="alert")
    daemon.host.ip("link set kept mtu 1300")
    row = until(lambda: rows(daemon, "kept", "open=true"), 2, "found")
    daemon.kill()
    daemon.host.ip("address add 10.82.0.1/32 dev kept")
    daemon.start()
    assert daemon.tunnel("kept")["status"]["state"] == "drifted"
    found = rows(daemon, "kept")
    assert [r["field"] for r in found] == ["addresses", "mtu"] and found[1] == row[0], found
    assert daemon.host.kernel.links()["kept"].mtu == 1300
    assert daemon.delete("kept").status == 204


def test_an_overflow_within_ten_thousand_events_is_survived(daemon):
    """The daemon is held up while they come, so that the kernel must throw some away."""
    made = {policy: daemon.create(name=policy, remote=f"172.21.1.{number}", mtu=1400, drift_policy=policy)
            for number, policy in enumerate(POLICIES, 1)}
    before = metric(daemon, "tunneld_monitor_overflows_total")[0]
    with daemon.paused():
        storm = [f"link set somebody0 mtu {1280 + number % 100}" for number in range(10_000)]
        changes = [f"link set {policy} mtu 1300" for policy in POLICIES]
        daemon.host.ip(*storm[:5000], *changes, *storm[5000:])
    went_on = time.monotonic()
    for policy, outcome in (("enforce", "repaired"), ("alert", None), ("adopt", "adopted")):
        id = made[policy]["id"]

        def is_handled(id=id, outcome=outcome):
            return [(row["field"], row["outcome"]) for row in rows(daemon, id)] == [("mtu", outcome)]

        until(is_handled, 1 - (time.monotonic() - went_on), f"{policy}: {outcome}")
    print(f"converged {time.monotonic() - went_on:.3f} s after it went on")
    assert metric(daemon, "tunneld_monitor_overflows_total")[0] > before
    assert daemon.host.kernel.links()["enforce"].mtu == 1400
    assert daemon.tunnel("adopt")["mtu"] == 1300 and daemon.tunnel("alert")["status"]["state"] == "drifted"
    assert daemon.process.poll() is None
    # And it hears of what comes next.
    daemon.host.ip("link set enforce mtu 1290")
    until(lambda: len(rows(daemon, "enforce")) == 2, 1, "the next change is found")
    for policy in POLICIES:
        assert daemon.delete(policy).status == 204


def test_a_storm_that_it_hears_is_survived_too(daemon):
    daemon.create(name="calm", remote="172.21.2.1", mtu=1400)
    looks, begin = metric(daemon, "tunneld_looks_total")[0], time.monotonic()
    storm = [f"link set somebody0 mtu {1280 + number % 100}" for number in range(10_000)]
    daemon.host.ip(*storm, "link set calm mtu 1300")
    until(lambda: daemon.host.kernel.links()["calm"].mtu == 1400, 1, "repaired within a second")
    looks = metric(daemon, "tunneld_looks_total")[0] - looks
    assert looks <= 5 * (time.monotonic() - begin) + 3
    assert daemon.delete("calm").status == 204
