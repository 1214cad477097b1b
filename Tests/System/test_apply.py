"""Whole sets of tunnels: all or nothing, in the database and the kernel, whatever happens."""

import http.client
import json
import random
import subprocess
import threading
import time

from daemon import Daemon, problem
from host import until
from writers import api_view, assert_consistent, kernel_view


def tunnel(number, variant=0, **more):
    """All of it follows from the number and the variant, so that half of a change shows."""
    high, low = divmod(number, 250)
    return {
        "name": f"t{number}",
        "local": "172.16.16.22",
        "remote": f"172.{20 + variant}.{high}.{low + 1}",
        "ttl": 64 + variant,
        "addresses": [f"10.{100 + variant}.{high}.{low + 1}/32"],
    } | more


def apply(client, tunnels, headers=None, **more):
    body = json.dumps({"tunnels": tunnels} | more).encode()
    return client.request("POST", "/v1/apply", body, **(headers or {}))


def applied(client, tunnels, **more):
    answer = apply(client, tunnels, **more)
    assert answer.status == 200, answer
    return answer.json


def actions(outcome):
    return [item["action"] for item in outcome["items"]]


def test_a_set_is_made_true(daemon):
    first = applied(daemon, [tunnel(n) for n in range(5)])
    assert actions(first) == ["create"] * 5
    assert_consistent(daemon)
    second = applied(daemon, [tunnel(0), tunnel(1, 1), tunnel(7)], prune=True)
    assert actions(second) == ["keep", "change", "create", "delete", "delete", "delete"]
    assert second["counts"] == {"create": 1, "change": 1, "delete": 3, "keep": 1}
    assert_consistent(daemon)
    assert set(daemon.tunnels()) == {"t0", "t1", "t7"}
    events = daemon.rows("SELECT type, tunnel_name, actor FROM event WHERE id > 5 ORDER BY id")
    assert events == [
        ("updated", "t1", "uid 0"), ("created", "t7", "uid 0"),
        *[("deleted", f"t{n}", "uid 0") for n in (2, 3, 4)],
    ]


def test_only_the_scope_is_touched(daemon):
    daemon.create(**tunnel(1, labels={"site": "b"}))
    daemon.create(**tunnel(2, labels={"site": "a"}))
    scope = {"label": "site:a"}
    outcome = applied(daemon, [tunnel(3, labels={"site": "a"})], scope=scope, prune=True)
    assert actions(outcome) == ["create", "delete"]
    problem(apply(daemon, [tunnel(1, labels={"site": "a"})], scope=scope), 409, "out-of-scope")
    problem(apply(daemon, [tunnel(4)], scope=scope), 422, "invalid-value")
    assert set(daemon.tunnels()) == {"t1", "t3"}
    assert_consistent(daemon)


def test_yaml_from_a_file(daemon, tmp_path):
    lines = ["prune: true", "tunnels:"]
    for number in range(40):
        definition = tunnel(number)
        lines += [f"- name: {definition['name']}", f"  remote: {definition['remote']}  # site {number}",
                  f"  local: {definition['local']}", f"  addresses: [{definition['addresses'][0]}]"]
    file = tmp_path / "tunnels.yaml"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "--unix-socket", daemon.socket, "--data-binary", f"@{file}",
         "-H", "Content-Type: application/yaml", "http://localhost/v1/apply"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["counts"] == {"create": 40, "change": 0, "delete": 0, "keep": 0}
    assert_consistent(daemon)


def test_places_are_swapped(daemon):
    """Names, endpoints, addresses and routes go round among three; a fourth isn't touched."""
    def of(name, number, route=None):
        return tunnel(number, name=name, routes=[{"to": f"10.50.{route or number}.0/24", "metric": 0}])

    applied(daemon, [of("a", 1), of("b", 2), of("c", 3), of("d", 4)])
    before = {name: found["status"]["ifindex"] for name, found in daemon.tunnels().items()}
    outcome = applied(daemon, [of("a", 2), of("b", 3), of("c", 1), of("d", 4)])
    assert actions(outcome) == ["change", "change", "change", "keep"]
    assert_consistent(daemon)
    after = {name: found["status"]["ifindex"] for name, found in daemon.tunnels().items()}
    assert after["d"] == before["d"]
    # What one gives up another takes at once.
    outcome = applied(daemon, [of("e", 4), of("a", 2)], prune=True)
    assert sorted(actions(outcome)) == ["create", "delete", "delete", "delete", "keep"]
    assert_consistent(daemon)
    # Routes alone: no link is lost.
    applied(daemon, [of("a", 2, route=4), of("e", 4, route=2)])
    assert_consistent(daemon)
    assert daemon.tunnel("a")["status"]["ifindex"] == after["a"]


def test_a_dry_run_is_what_apply_does(daemon):
    applied(daemon, [tunnel(n) for n in range(20)])
    chosen = random.Random(4)
    for _ in range(10):
        tunnels = [tunnel(n, chosen.randint(0, 2)) for n in chosen.sample(range(30), 15)]
        before, kernel = daemon.tunnels(), daemon.host.kernel.state()
        rows = daemon.rows("SELECT max(id), count(*) FROM event")
        plan = applied(daemon, tunnels, prune=True, dry_run=True)
        assert (daemon.tunnels(), daemon.host.kernel.state()) == (before, kernel)
        assert daemon.rows("SELECT max(id), count(*) FROM event") == rows
        done = applied(daemon, tunnels, prune=True)
        assert [(i["position"], i["action"], i["name"], i["revision"]) for i in plan["items"]] == [
            (i["position"], i["action"], i["name"], i["revision"]) for i in done["items"]
        ]
        after = daemon.tunnels()
        for item in plan["items"]:
            if item["action"] == "change":
                name = item["name"]
                fields = [f for f in tunnel(0) if before[name][f] != after[name][f]]
                changes = {c["field"]: (c["before"], c["after"]) for c in item["changes"]}
                assert changes == {f: (before[name][f], after[name][f]) for f in fields}
        touched = {item["name"] for item in plan["items"] if item["action"] != "keep"}
        assert {operation["tunnel"] for operation in plan["operations"]} == touched
        assert_consistent(daemon)


def test_an_unchanged_set_writes_nothing(daemon):
    tunnels = [tunnel(n) for n in range(200)]
    applied(daemon, tunnels)
    size = (daemon.directory / "tunneld.db-wal").stat().st_size
    with daemon.host.watch() as changes:
        outcome = applied(daemon, tunnels, prune=True)
        assert outcome["counts"]["keep"] == 200
        assert changes() == 0
    assert (daemon.directory / "tunneld.db-wal").stat().st_size == size
    assert daemon.rows("SELECT count(*) FROM event") == [(200,)]


def test_a_refusal_of_the_kth_leaves_nothing(daemon):
    """A thousand tunnels, and for each tenth of them somebody's link that has its name; with programs for ten."""
    count = 1000
    tunnels = [tunnel(n) for n in range(count)]
    places = list(range(0, count, 10 if Daemon.kind == "kernel" else 100))
    random.Random(10).shuffle(places)
    begin = time.monotonic()
    others = set(daemon.host.kernel.links())
    daemon.host.ip("link add in_way type ifb")
    kernel = daemon.host.kernel.state()
    former = "in_way"
    for number in places:
        name = tunnels[number]["name"]
        daemon.host.ip(f"link set {former} name {name}")
        former = name
        members = problem(apply(daemon, tunnels), 409, "name-taken")
        assert [(e["pointer"], e["tunnel"]) for e in members["errors"]] == [(f"/tunnels/{number}", name)]
        assert daemon.rows("SELECT count(*) FROM tunnel") == [(0,)]
        assert set(daemon.host.kernel.links()) == others | {name}
    assert daemon.tunnels() == {} and daemon.rows("SELECT count(*) FROM event") == [(0,)]
    print(f"{len(places)} refused in {time.monotonic() - begin:.1f} s")
    daemon.host.ip(f"link set {former} name in_way")
    assert daemon.host.kernel.state() == kernel
    applied(daemon, tunnels)
    assert_consistent(daemon)


def test_killed_in_the_middle(host, prepared):
    """In half of the rounds while a set is changed: the state before or the state after."""
    rounds = 50 if Daemon.kind == "bpf" else 20
    host.ip("link add others0 type ifb")
    others = host.kernel.state()
    daemon = prepared(host).start()
    moment = random.Random(20261123)
    sets = [[tunnel(n, variant) for n in range(100)] for variant in (0, 1)]
    # The second set's odd ones have each other's names, so that links are made anew.
    for a, b in zip(sets[1][1::4], sets[1][3::4]):
        a["remote"], b["remote"] = b["remote"], a["remote"]
    views = [{}, *[view(daemon, tunnels) for tunnels in sets]]
    now, found = 0, {"before": 0, "after": 0}
    begin = time.monotonic()
    applied(daemon, sets[0])
    applied(daemon, sets[1])
    took = time.monotonic() - begin
    applied(daemon, [], prune=True)
    for round in range(rounds):
        wanted = 0 if now and round % 4 == 0 else 2 if now == 1 else 1
        client = daemon.client()
        body = sets[wanted - 1] if wanted else []

        def ask(client=client, body=body):
            try:
                apply(client, body, prune=True)
            except (OSError, http.client.HTTPException):
                pass  # cut off: what the test is about

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        time.sleep(moment.random() * took)
        daemon.kill()
        asking.join(30)
        client.close()
        daemon.start()
        until(lambda: kernel_view(host.kernel) == api_view(daemon), 5, "the kernel is equal to the database")
        shown = api_view(daemon)
        assert shown in (views[now], views[wanted]), f"round {round}: neither before nor after"
        found["after" if shown == views[wanted] else "before"] += 1
        now = wanted if shown == views[wanted] else now
        if round % 10 == 9:
            # The next rounds begin elsewhere.
            now = 1 + round // 10 % 2
            applied(daemon, sets[now - 1], prune=True)
            assert api_view(daemon) == views[now]
    print(found)
    assert min(found.values()) > rounds // 16, "the moments were all too early, or too late"
    assert_consistent(daemon)
    applied(daemon, [], prune=True)
    assert host.kernel.state() == others
    assert daemon.rows("PRAGMA integrity_check") == [("ok",)]


def view(daemon, tunnels):
    """What the API and the kernel show of a set."""
    return {t["name"]: (t["ttl"], t["remote"], True, set(t["addresses"]), set()) for t in tunnels}


def test_of_two_who_race_one_wins(daemon):
    rounds = 1000 if Daemon.kind == "bpf" else 300
    # What a client wants in even rounds, and in odd ones: never what anybody had.
    sets = [[[tunnel(n, 2 * odd + client) for n in range(3)] for odd in (0, 1)] for client in (0, 1)]
    barrier = threading.Barrier(3)
    revision = daemon.get("/v1/tunnels").headers["etag"]
    answers = [None, None]
    faults = []

    def race(client, number):
        try:
            for round in range(rounds):
                body = json.dumps({"tunnels": sets[number][round % 2]}).encode()
                barrier.wait(30)
                answers[number] = client.request("POST", "/v1/apply", body, if_match=revision)
                barrier.wait(30)
        except Exception as fault:  # told below
            faults.append(fault)
            barrier.abort()
        client.close()

    threads = [threading.Thread(target=race, args=(daemon.client(), n), daemon=True) for n in (0, 1)]
    for thread in threads:
        thread.start()
    wins = [0, 0]
    for round in range(rounds):
        barrier.wait(30)
        barrier.wait(30)
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [200, 412], answers
        winner = 0 if answers[0].status == 200 else 1
        wins[winner] += 1
        page = daemon.get("/v1/tunnels")
        revision = page.headers["etag"]
        assert revision == answers[winner].headers["etag"]
        shown = [{key: found[key] for key in tunnel(0)} for found in page.json["items"]]
        assert shown == sets[winner][round % 2], f"round {round}: mixed"
        if round % 100 == 0:
            assert_consistent(daemon)
    for thread in threads:
        thread.join(30)
    assert not faults, faults
    print(wins)
    assert_consistent(daemon)
