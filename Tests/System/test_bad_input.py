"""What can't be is refused with a status, a type and a useful detail, and leaves nothing behind."""

import json
from contextlib import closing

import pytest
from conftest import joined_hosts, started_daemon
from daemon import problem
from host import until

GOOD = {"name": "new", "local": "172.16.16.22", "remote": "172.16.2.1"}


@pytest.fixture(scope="module")
def daemon():
    """Has the tunnel `taken`; the links foreign0 and theirs belong to somebody else."""
    with joined_hosts() as (a, _), started_daemon(a, tcp=True) as daemon:
        a.ip("link add foreign0 type ifb")
        a.add_somebodys_tunnel("theirs", "172.16.9.9")
        daemon.create(
            name="taken",
            local="172.16.16.22",
            remote="172.16.1.62",
            addresses=["192.168.1.1/24"],
            routes=[{"to": "10.20.0.0/16"}],
        )
        yield daemon


@pytest.fixture(autouse=True)
def nothing_is_left(daemon):
    before = daemon.host.kernel.state(), daemon.rows(), daemon.tunnels()
    yield
    assert (daemon.host.kernel.state(), daemon.rows(), daemon.tunnels()) == before


# What the body differs in from a good one, and the word that the detail must have.
VALUES = {
    "name of 16 bytes": ({"name": "a" * 16}, "/name", "15"),
    "empty name": ({"name": ""}, "/name", "1 to 15"),
    "name with a slash": ({"name": "a/b"}, "/name", "a/b"),
    "name with a space": ({"name": "a b"}, "/name", "a b"),
    "name with a colon": ({"name": "eth0:1"}, "/name", "eth0:1"),
    "name with NUL": ({"name": "a\0b"}, "/name", "letters"),
    "name with a template": ({"name": "tun%d"}, "/name", "tun%d"),
    "name of one dot": ({"name": "."}, "/name", "begin"),
    "name of two dots": ({"name": ".."}, "/name", "begin"),
    "name with a leading dash": ({"name": "-all"}, "/name", "begin"),
    "name that isn't ASCII": ({"name": "tün"}, "/name", "ASCII"),
    "name of the loopback": ({"name": "lo"}, "/name", "kernel"),
    "name of the fallback device": ({"name": "tunl0"}, "/name", "kernel"),
    "multicast remote": ({"remote": "224.0.0.1"}, "/remote", "multicast"),
    "loopback remote": ({"remote": "127.0.0.1"}, "/remote", "loopback"),
    "broadcast remote": ({"remote": "255.255.255.255"}, "/remote", "broadcast"),
    "remote of any": ({"remote": "0.0.0.0"}, "/remote", "host"),
    "reserved remote": ({"remote": "240.0.0.1"}, "/remote", "reserved"),
    "multicast local": ({"local": "239.1.2.3"}, "/local", "multicast"),
    "loopback local": ({"local": "127.0.0.2"}, "/local", "loopback"),
    "broadcast local": ({"local": "255.255.255.255"}, "/local", "broadcast"),
    "IPv6 remote": ({"remote": "2001:db8::1"}, "/remote", "IPv4"),
    "remote with leading zeros": ({"remote": "172.016.1.62"}, "/remote", "172.016.1.62"),
    "remote that is a name": ({"remote": "example.org"}, "/remote", "example.org"),
    "local equal to remote": ({"local": "172.16.2.1"}, "/remote", "same"),
    "fixed ttl without pmtudisc": ({"ttl": 64, "pmtudisc": False}, "/ttl", "pmtudisc"),
    "ttl of 0": ({"ttl": 0}, "/ttl", "1 to 255"),
    "ttl of 256": ({"ttl": 256}, "/ttl", "1 to 255"),
    "tos with bits of ECN": ({"tos": 3}, "/tos", "4"),
    "mtu too small": ({"mtu": 67}, "/mtu", "68"),
    "mtu too large": ({"mtu": 65516}, "/mtu", "65515"),
    "mtu beyond 64 bits": ({"mtu": 1 << 70}, "/mtu", "68"),
    "negative mtu": ({"mtu": -1}, "/mtu", "68"),
    "fwmark of 0": ({"fwmark": 0}, "/fwmark", "null"),
    "fwmark beyond 32 bits": ({"fwmark": 1 << 32}, "/fwmark", "4294967295"),
    "underlay of itself": ({"underlay": "new"}, "/underlay", "own"),
    "address without a length": ({"addresses": ["192.168.2.1"]}, "/addresses/0", "/"),
    "address with length 33": ({"addresses": ["192.168.2.1/33"]}, "/addresses/0", "/"),
    "address of its network": ({"addresses": ["192.168.2.0/24"]}, "/addresses/0", "network"),
    "address that is a broadcast": ({"addresses": ["192.168.2.255/24"]}, "/addresses/0", "broadcast"),
    "multicast address": ({"addresses": ["224.0.0.9/24"]}, "/addresses/0", "multicast"),
    "the same address twice": ({"addresses": ["192.168.2.1/24"] * 2}, "/addresses/1", "twice"),
    "too many addresses": ({"addresses": [f"10.0.{n}.1/24" for n in range(33)]}, "/addresses", "32"),
    "route with host bits": ({"routes": [{"to": "10.0.0.1/8"}]}, "/routes/0/to", "10.0.0.0/8"),
    "the same route twice": ({"routes": [{"to": "10.0.0.0/8"}] * 2}, "/routes/1", "twice"),
    "route to multicast": ({"routes": [{"to": "224.0.0.0/4"}]}, "/routes/0/to", "tunnel"),
    "metric beyond 32 bits": (
        {"routes": [{"to": "10.0.0.0/8", "metric": 1 << 32}]},
        "/routes/0/metric",
        "4294967295",
    ),
    "unknown kind": ({"kind": "gre"}, "/kind", "ipip"),
    "comment too long": ({"comment": "x" * 1025}, "/comment", "1024"),
    "label key with a space": ({"labels": {"a b": "c"}}, "/labels/a b", "key"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_value_that_cannot_be(daemon, case):
    changes, pointer, word = VALUES[case]
    members = problem(daemon.post(GOOD | changes), 422, "invalid-value")
    errors = {error["pointer"]: error["detail"] for error in members["errors"]}
    assert word in errors.get(pointer, ""), members


SHAPES = {
    "no name": (b'{"remote": "172.16.2.1"}', "/name"),
    "no remote": (b'{"name": "new"}', "/remote"),
    "unknown field": (GOOD | {"remot": "172.16.2.1"}, "/remot"),
    "unknown field of a route": (GOOD | {"routes": [{"to": "10.0.0.0/8", "via": "x"}]}, "/routes/0/via"),
    "a revision in a create": (GOOD | {"revision": 1}, "/revision"),
    "an array": ([], ""),
    "a string": ("new", ""),
    "null": (b"null", ""),
    "number for a name": (GOOD | {"name": 5}, "/name"),
    "null for a name": (GOOD | {"name": None}, "/name"),
    "text for a boolean": (GOOD | {"enabled": "true"}, "/enabled"),
    "text for the mtu": (GOOD | {"mtu": "1400"}, "/mtu"),
    "fraction for the mtu": (GOOD | {"mtu": 1400.5}, "/mtu"),
    "object for addresses": (GOOD | {"addresses": {}}, "/addresses"),
    "number in addresses": (GOOD | {"addresses": [5]}, "/addresses/0"),
    "text for a route": (GOOD | {"routes": ["10.0.0.0/8"]}, "/routes/0"),
    "number for a label": (GOOD | {"labels": {"site": 5}}, "/labels/site"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_wrong_shape(daemon, case):
    body, pointer = SHAPES[case]
    members = problem(daemon.post(body), 400, "invalid-shape")
    assert pointer in [error["pointer"] for error in members["errors"]], members


NOT_JSON = {
    "empty": b"",
    "cut off": b'{"name": "new", "remote": "172.16.2.1"',
    "something after it": json.dumps(GOOD).encode() + b"x",
    "two values": json.dumps(GOOD).encode() * 2,
    "single quotes": b"{'name': 'new'}",
    "a trailing comma": b'{"name": "new", "remote": "172.16.2.1",}',
    "NaN": b'{"name": "new", "remote": "172.16.2.1", "mtu": NaN}',
    "invalid UTF-8": b'{"name": "new", "remote": "172.16.2.1", "comment": "\xff\xfe"}',
    "an overlong encoding": b'{"name": "new", "remote": "172.16.2.1", "comment": "\xc0\xaf"}',
    "a lone surrogate": b'{"name": "new", "remote": "172.16.2.1", "comment": "\\ud800"}',
    "a duplicate key": b'{"name": "new", "remote": "172.16.2.1", "remote": "172.16.2.2"}',
    "a duplicate key, escaped": b'{"name": "new", "remote": "172.16.2.1", "\\u0072emote": "172.16.2.2"}',
    "a NUL": b'{"name": "new", "remote": "172.16.2.1"}\0',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "arrays of depth 100,000": b"[" * 100_000,
    "objects of depth 20,000": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_what_is_not_json(daemon, case):
    members = problem(daemon.post(NOT_JSON[case]), 400, "invalid-json")
    assert "byte" in members["detail"].lower(), members


def test_a_huge_body_is_refused_and_the_daemon_goes_on(daemon):
    with closing(daemon.client()) as client:
        problem(client.post(GOOD | {"comment": "x" * (1 << 20)}), 413, "request-too-large")
    assert daemon.get("/livez").status == 200


def test_many_errors_come_back_together(daemon):
    members = problem(daemon.post({"name": "a b", "remote": "224.0.0.1", "mtu": 1}), 422, "invalid-value")
    assert {error["pointer"] for error in members["errors"]} >= {"/name", "/remote", "/mtu"}, members


# --- What others have


def test_a_name_that_a_tunnel_has(daemon):
    members = problem(daemon.post(GOOD | {"name": "taken"}), 409, "name-taken")
    assert members["tunnel"] == "taken" and "taken" in members["detail"], members


@pytest.mark.parametrize("name", ["foreign0", "underlay0", "theirs"])
def test_a_name_that_a_foreign_link_has(daemon, name):
    members = problem(daemon.post(GOOD | {"name": name}), 409, "name-taken")
    assert name in members["detail"] and "tunneld didn't make" in members["detail"], members


def test_endpoints_that_a_tunnel_has(daemon):
    members = problem(daemon.post(GOOD | {"remote": "172.16.1.62"}), 409, "endpoints-taken")
    assert members["tunnel"] == "taken" and "taken" in members["detail"], members


@pytest.mark.ipip
def test_endpoints_that_a_foreign_link_has(daemon):
    members = problem(daemon.post(GOOD | {"remote": "172.16.9.9"}), 409, "endpoints-taken")
    assert "theirs" in members["detail"], members


def test_an_address_that_a_tunnel_has(daemon):
    members = problem(daemon.post(GOOD | {"addresses": ["192.168.1.1/24"]}), 409, "address-taken")
    assert members["tunnel"] == "taken" and "taken" in members["detail"], members


def test_a_route_that_somebody_has(daemon):
    members = problem(daemon.post(GOOD | {"routes": [{"to": "10.20.0.0/16"}]}), 409, "route-taken")
    assert "taken" in members["detail"] and "10.20.0.0/16" in members["detail"], members


def test_an_underlay_that_is_not_there(daemon):
    members = problem(daemon.post(GOOD | {"underlay": "nowhere0"}), 422, "underlay-missing")
    assert "nowhere0" in members["detail"], members


@pytest.mark.parametrize(
    "swallowing",
    [
        {"routes": [{"to": "172.16.2.0/24"}]},
        {"routes": [{"to": "172.16.2.1/32"}]},
        {"routes": [{"to": "172.16.0.0/16"}]},
        {"addresses": ["172.16.2.2/24"]},
        {"addresses": ["192.168.7.1 peer 172.16.2.1/32"]},
    ],
    ids=str,
)
def test_a_prefix_that_would_swallow_the_remote(daemon, swallowing):
    members = problem(daemon.post(GOOD | swallowing), 422, "route-swallows-remote")
    assert "172.16.2.1" in members["detail"], members


@pytest.mark.parametrize(
    "patch, status, slug",
    [
        ({"name": "foreign0"}, 409, "name-taken"),
        pytest.param({"remote": "172.16.9.9"}, 409, "endpoints-taken", marks=pytest.mark.ipip),
        ({"remote": "224.0.0.1"}, 422, "invalid-value"),
        ({"remote": None}, 400, "invalid-shape"),
        ({"routes": [{"to": "172.16.1.0/24"}]}, 422, "route-swallows-remote"),
        ({"ttl": 3, "pmtudisc": False}, 422, "invalid-value"),
        ({"nonsense": 1}, 400, "invalid-shape"),
        ({"remote": "172.16.2.9", "routes": [{"to": "172.16.0.0/16"}]}, 422, "route-swallows-remote"),
        # The kernel takes the first half of it, and must have it back.
        (
            {"ttl": 77, "mtu": 1300, "routes": [{"to": "172.16.0.0/16"}], "remote": "172.17.0.1"},
            409,
            "route-taken",
        ),
    ],
    ids=str,
)
def test_a_patch_that_cannot_be(daemon, patch, status, slug):
    problem(daemon.patch("taken", patch), status, slug)


# --- Paths


@pytest.mark.parametrize(
    "segment",
    [
        "a" * 16,
        "a%2Fb",
        "a%20b",
        "a:b",
        "a%00b",
        "%00",
        ".",
        "..",
        "%2e",
        "%2e%2e",
        "%ff",
        "%zz",
        "%",
        "a%0d%0ab",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_path_that_names_no_tunnel(daemon, segment, method):
    body = {"PUT": {"remote": "172.16.2.1"}, "PATCH": {"ttl": 5}}.get(method)
    answer = daemon.request(method, f"/v1/tunnels/{segment}", body)
    assert answer.status in (400, 404, 405, 422), answer
    problem(answer, answer.status, answer.json["type"].removeprefix("/problems/"))


@pytest.mark.parametrize("name", ["foreign0", "theirs", "underlay0", "lo", "tunl0"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_link_of_others_is_no_tunnel(daemon, method, name):
    body = {"ttl": 5} if method == "PATCH" else None
    problem(daemon.request(method, f"/v1/tunnels/{name}", body), 404, "tunnel-not-found")


def test_put_with_another_name_than_the_path(daemon):
    problem(daemon.put("other", GOOD), 422, "invalid-value")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=***", "state=on", "label=x", "nonsense=1"]
)
def test_a_query_that_cannot_be(daemon, query):
    problem(daemon.get(f"/v1/tunnels?{query}"), 400, "invalid-parameter")


# --- Preconditions


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_stale_if_match(daemon, method):
    body = {"PUT": {"remote": "172.16.3.3"}, "PATCH": {"ttl": 5}}.get(method)
    answer = daemon.request(method, "/v1/tunnels/taken", body, if_match='"99"')
    assert problem(answer, 412, "precondition-failed")["current_revision"] == 1


def test_a_stale_revision_in_the_body(daemon):
    answer = daemon.patch("taken", {"ttl": 5, "revision": 99})
    assert problem(answer, 412, "precondition-failed")["current_revision"] == 1


def test_a_put_that_must_not_replace(daemon):
    problem(daemon.put("taken", {"remote": "172.16.3.3"}, if_none_match="*"), 412, "precondition-failed")


def test_an_if_match_that_is_none(daemon):
    problem(daemon.patch("taken", {"ttl": 5}, if_match="99"), 400, "invalid-parameter")


# --- Who may


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer ", "Bearer tnl_nonsense", "Basic cm9vdDpyb290", "tnl_x", "Bearer a b"],
    ids=str,
)
@pytest.mark.parametrize(
    "method, path", [("GET", "/v1/tunnels"), ("POST", "/v1/tunnels"), ("GET", "/nowhere")]
)
def test_tcp_without_a_valid_token(daemon, method, path, header):
    headers = {"authorization": header} if header is not None else {}
    with closing(daemon.tcp_client()) as client:
        answer = client.request(method, path, GOOD if method == "POST" else None, **headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_read_token_cannot_write(daemon):
    token = daemon.run("token", "create", "--scope", "read").stdout.strip()
    with closing(daemon.tcp_client(token)) as client:
        # Strangers' tokens make the daemon wait a tenth of a second before it looks for new ones again.
        until(lambda: client.get("/v1/tunnels").status == 200, 1, "the new token is taken")
        problem(client.post(GOOD), 403, "forbidden")
        problem(client.patch("taken", {"ttl": 5}), 403, "forbidden")
        problem(client.delete("taken"), 403, "forbidden")


def test_open_paths_need_no_token(daemon):
    with closing(daemon.tcp_client()) as client:
        for path in ("/livez", "/readyz", "/openapi.yaml", "/problems/name-taken"):
            assert client.get(path).status == 200
