"""Metrics as Prometheus' own programs read them."""

import contextlib
import gzip
import socket
from datetime import datetime

import pytest
import yaml
from conftest import joined_hosts, started_daemon
from daemon import Daemon
from ends import INNER_B, TUN_A, TUN_B, A, B
from host import until
from packets import ip
from prometheus import FILES, Prometheus, dashboard_queries, metric_names, promtool, rules
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_families

OPEN = "application/openmetrics-text;version=1.0.0"


@pytest.fixture(scope="module")
def on_a():
    """The daemon on A, over TCP too, with a tunnel to B that others' changes are left in. It carries packets, and drops
    some."""
    with joined_hosts() as (a, b), started_daemon(a, tcp=True) as on_a, started_daemon(b) as on_b:
        on_a.create(**TUN_A, drift_policy="alert")
        on_a.create(name="tun_off", remote="172.16.1.63", enabled=False)
        on_b.create(**TUN_B)
        on_a.other = on_b
        traffic(on_a)
        yield on_a


def traffic(on_a):
    """Echoes there and back, and a packet that isn't one."""
    assert on_a.host.ping(INNER_B, 2) == 2
    with on_a.other.host.inside(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip(B, A, 4, b"no IP packet"), (A, 0))


@contextlib.contextmanager
def drift(on_a):
    """Somebody switches the tunnel off, and on again afterwards."""

    def state():
        return on_a.tunnel("tun_a")["status"]["state"]

    on_a.host.ip("link set tun_a down")
    try:
        until(lambda: state() == "drifted", 10, "the change is found")
        yield
    finally:
        on_a.host.ip("link set tun_a up")
        until(lambda: state() == "up", 10, "the change back is found")


def exposed(daemon, accept="text/plain"):
    answer = daemon.get("/metrics?fresh=true", accept=accept)
    assert answer.status == 200, answer
    return answer


def test_promtool_has_nothing_to_say(on_a):
    with drift(on_a):
        text = exposed(on_a).body.decode()
    assert 'tunneld_tunnel_open_drifts{tunnel="tun_a"' in text
    done = promtool("check", "metrics", input=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_openmetrics_as_its_own_parser_reads_it(on_a):
    with drift(on_a):
        answer = exposed(on_a, OPEN)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {f.name: f for f in openmetrics.text_string_to_metric_families(answer.body.decode())}
    tunnel = on_a.tunnel("tun_a")
    mine = {"tunnel": "tun_a", "id": tunnel["id"]}
    samples = {s.name: s.value for s in families["tunneld_tunnel_receive_bytes"].samples if s.labels == mine}
    stats = on_a.get("/v1/tunnels/tun_a/stats?fresh=true").json
    assert samples.pop("tunneld_tunnel_receive_bytes_total") == stats["rx"]["bytes"] > 0
    assert list(samples) == ["tunneld_tunnel_receive_bytes_created"]
    assert abs(samples["tunneld_tunnel_receive_bytes_created"] - seconds(tunnel["created_at"])) < 0.001
    assert families["tunneld_tunnel_receive_bytes"].unit == "bytes"
    kinds = {name: family.type for name, family in families.items()}
    assert kinds["tunneld_look_duration_seconds"] == "histogram" and kinds["tunneld_build"] == "info"
    assert not [name for name, kind in kinds.items() if kind == "unknown"]
    # Both formats say the same.
    as_text = {s.name for f in text_families(exposed(on_a).body.decode()) for s in f.samples}
    as_open = {s.name for f in families.values() for s in f.samples if not s.name.endswith("_created")}
    assert as_text - as_open == set() and as_open - as_text <= {"tunneld_tunnel_problem"}


def test_compressed_it_is_the_same(on_a):
    for accept in ("text/plain", OPEN):
        # Of one sample, which lasts a second; so the second time at the latest.
        def is_the_same():
            plain, small = (on_a.get("/metrics", accept=accept, accept_encoding=e) for e in ("identity", "gzip"))
            assert small.headers["content-encoding"] == "gzip" and len(small.body) < len(plain.body) / 4
            return tunnels_of(gzip.decompress(small.body)) == tunnels_of(plain.body)

        until(is_the_same, 5, accept)


def tunnels_of(body):
    return [line for line in body.splitlines() if b"tunneld_tunnel_" in line]


def seconds(time):
    return datetime.fromisoformat(time).timestamp()


def test_the_rules_fire_when_they_should(on_a):
    for words in (
        ["check", "rules", "tunneld.rules.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "tunneld.rules.test.yml"],
    ):
        done = promtool(*words)
        assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr
    tests = yaml.safe_load((FILES / "tunneld.rules.test.yml").read_text())["tests"]
    checks = [(c["alertname"], bool(c["exp_alerts"])) for test in tests for c in test["alert_rule_test"]]
    for rule in rules():
        assert {(rule["alert"], True), (rule["alert"], False)} <= set(checks), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}


def test_a_real_prometheus(on_a, tmp_path):
    token = on_a.run("token", "create", "--scope", "read").stdout.strip()
    with Prometheus(on_a.host, tmp_path, token) as prometheus:
        until(lambda: prometheus.value("up") == 1, 10, "the daemon is scraped")
        (target,) = prometheus.data("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", ""), target
        # Only OpenMetrics tells since when a counter counts.
        created = prometheus.value('tunneld_tunnel_receive_packets_created{tunnel="tun_a"}')
        assert abs(created - seconds(on_a.tunnel("tun_a")["created_at"])) < 0.001
        names = set(prometheus.data("label/__name__/values"))

        traffic(on_a)
        received = on_a.get("/v1/tunnels/tun_a/stats?fresh=true").json["rx"]["packets"]
        query = 'tunneld_tunnel_receive_packets_total{tunnel="tun_a"}'
        until(lambda: prometheus.value(query) == received, 5, "the packets are scraped")

        alerts_are_told(on_a, prometheus)
        dashboard_answers(prometheus)
        for query in dashboard_queries() + [rule["expr"] for rule in rules()]:
            absent = metric_names(query) - names
            assert absent <= {"tunneld_tunnel_problem", "tunneld_tunnel_drops_total"}, query


def alerts_are_told(on_a, prometheus):
    groups = prometheus.data("rules")["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    assert [rule["name"] for rule in loaded] == [rule["alert"] for rule in rules()]

    def firing(name):
        return [alert for fires, alert in prometheus.firing() if fires == name]

    assert not firing("TunnelDown")
    with drift(on_a):
        (alert,) = until(lambda: firing("TunnelDown"), 10, "the alert fires")
        assert alert["labels"]["tunnel"] == "tun_a"
        assert alert["annotations"]["summary"] == "Tunnel tun_a on 127.0.0.1:8080 is down"
        assert firing("TunnelDrifted")
    until(lambda: not firing("TunnelDown") and not firing("TunnelDrifted"), 10, "the alerts end")
    loaded = [rule for group in prometheus.data("rules")["groups"] for rule in group["rules"]]
    assert [(rule["name"], rule["lastError"]) for rule in loaded if rule["health"] != "ok"] == []


def dashboard_answers(prometheus):
    """Each query is one that Prometheus understands, and finds something."""
    empty = [query for query in dashboard_queries() if not prometheus.query(query)]
    # Which packets were wrong, the programs alone can tell.
    assert [q for q in empty if Daemon.kind == "bpf" or "tunneld_tunnel_drops_total" not in q] == []
