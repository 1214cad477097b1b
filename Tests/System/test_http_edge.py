"""The HTTP edge of the live daemon: every error is a problem, and nothing slips through."""

import http.client
import json
import socket
import time
from contextlib import ExitStack, closing

import pytest
from conftest import joined_hosts, started_daemon
from daemon import TCPConnection, metric, problem
from host import until

TUNNEL = {"name": "tun_a", "local": "172.16.16.22", "remote": "172.16.1.62"}


@pytest.fixture(scope="module")
def daemon():
    with joined_hosts() as (a, _), started_daemon(a, tcp=True) as daemon:
        daemon.create(**TUNNEL)
        yield daemon


@pytest.fixture(autouse=True)
def nothing_is_left(daemon):
    before = daemon.host.kernel.state(), daemon.rows()
    yield
    assert (daemon.host.kernel.state(), daemon.rows()) == before


def raw(daemon, data, seconds=10, ends=True):
    """Sends bytes over a new connection and returns all that comes back, until the daemon closes it. Whoever ends its
    own half before has left, to libmicrohttpd, if the answer takes a while."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(seconds)
        connection.connect(str(daemon.socket))
        connection.sendall(data)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def test_a_path_that_is_not_there(daemon):
    problem(daemon.get("/nowhere"), 404, "not-found")
    problem(daemon.get("/v1/tunnels/"), 404, "not-found")
    problem(daemon.get("/v1/tunnels/tun_none"), 404, "tunnel-not-found")
    problem(daemon.get("/problems/none"), 404, "not-found")


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("DELETE", "/v1/tunnels", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/v1/tunnels/tun_a", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        ("POST", "/v1/stats", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/v1/tunnels", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_method_that_the_path_does_not_answer(daemon, method, path, allowed):
    answer = daemon.request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == allowed


def test_a_long_target(daemon):
    with closing(daemon.client()) as client:
        problem(client.get("/v1/tunnels?label=" + "x" * 9000), 414, "request-too-large")


def test_large_headers(daemon):
    with closing(daemon.client()) as client:
        problem(client.get("/livez", x_large="x" * 17000), 431, "request-too-large")
    with closing(daemon.client()) as client:
        many = {f"x_{number}": "y" for number in range(100)}
        problem(client.get("/livez", **many), 431, "request-too-large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", ""]
)
def test_a_create_of_another_type(daemon, kind):
    answer = daemon.post(TUNNEL | {"name": "new"}, content_type=kind)
    problem(answer, 415, "unsupported-media-type")
    assert "application/json" in answer.headers["accept"]


def test_a_patch_of_another_type(daemon):
    answer = daemon.patch("tun_a", {"ttl": 5}, content_type="application/json-patch+json")
    problem(answer, 415, "unsupported-media-type")
    assert "application/merge-patch+json" in answer.headers["accept"]


def test_a_media_type_with_parameters_is_taken(daemon):
    answer = daemon.post(TUNNEL, content_type="Application/JSON; charset=utf-8")
    problem(answer, 409, "name-taken")


def test_head_answers_like_get_without_a_body(daemon):
    for path in ("/v1/tunnels/tun_a", "/v1/tunnels", "/livez", "/openapi.yaml"):
        get, head = daemon.get(path), daemon.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        for name in ("content-type", "content-length", "etag"):
            assert head.headers[name] == get.headers[name], name


def test_etag_and_304(daemon):
    answer = daemon.get("/v1/tunnels/tun_a")
    tag = answer.headers["etag"]
    assert tag == f'"{answer.json["revision"]}"'
    unchanged = daemon.get("/v1/tunnels/tun_a", if_none_match=tag)
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", tag)
    assert daemon.get("/v1/tunnels/tun_a", if_none_match='"99"').status == 200


def test_a_create_says_where_the_tunnel_is(daemon):
    answer = daemon.post({"name": "tun_new", "remote": "172.16.1.99"})
    assert answer.status == 201 and answer.headers["location"] == "/v1/tunnels/tun_new", answer
    assert answer.headers["content-type"] == "application/json"
    found = daemon.get(answer.headers["location"])
    assert found.json == answer.json
    assert daemon.get(f"/v1/tunnels/{answer.json['id']}").json == answer.json
    assert daemon.delete("tun_new").status == 204


def test_respond_async_is_stored_and_converges(daemon):
    answer = daemon.post({"name": "tun_later", "remote": "172.16.1.98"}, prefer="respond-async")
    assert answer.status == 202 and answer.headers["preference-applied"] == "respond-async", answer
    assert ("tun_later", 1) in daemon.rows()
    until(lambda: daemon.tunnel("tun_later")["status"]["state"] == "up", 5, "tun_later is up")
    assert "tun_later" in daemon.host.kernel.links()
    assert daemon.delete("tun_later").status == 204


def test_a_kept_open_connection_takes_a_hundred_requests(daemon):
    with closing(daemon.client()) as client:
        client.get("/livez")
        client.connection.auto_open = False  # a closed connection is an error from now on
        for number in range(100):
            path = ["/v1/tunnels/tun_a", "/v1/tunnels", "/nowhere", "/v1/host"][number % 4]
            assert client.get(path).status == (404 if path == "/nowhere" else 200)


def test_pipelined_requests_are_answered_in_order(daemon):
    requests = b"".join(
        f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for path in ("/livez", "/nowhere", "/v1/tunnels/tun_a")
    )
    answer = raw(daemon, requests)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200], answer


JSON_HEAD = b"POST /v1/tunnels HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HIDDEN = b'{"name": "smuggled", "remote": "172.16.5.5"}'
HIDDEN_REQUEST = JSON_HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(HIDDEN), HIDDEN)


def test_chunked_bodies_are_taken(daemon):
    body = json.dumps(TUNNEL).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    head = JSON_HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(daemon, head + chunks, ends=False).startswith(b"HTTP/1.1 409 "), "the name is taken: so the body was read"


SMUGGLING = {
    "length and chunked": JSON_HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + HIDDEN_REQUEST,
    "two lengths": JSON_HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + HIDDEN_REQUEST,
    "a list of lengths": JSON_HEAD + b"Content-Length: 0, 5\r\n\r\n" + HIDDEN_REQUEST,
    "a space before the colon": JSON_HEAD + b"Content-Length : 5\r\n\r\n" + HIDDEN_REQUEST,
    "a length with a sign": JSON_HEAD + b"Content-Length: +0\r\n\r\n" + HIDDEN_REQUEST,
    "a length in hexadecimal": JSON_HEAD + b"Content-Length: 0x0\r\n\r\n" + HIDDEN_REQUEST,
    "an unknown coding": JSON_HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + HIDDEN_REQUEST,
    "chunked twice": JSON_HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + HIDDEN_REQUEST,
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + HIDDEN_REQUEST,
    "no host": b"GET /livez HTTP/1.1\r\n\r\n" + HIDDEN_REQUEST,
    "a bare line feed": b"GET /livez HTTP/1.1\r\nHost: x\nX: y\r\n\r\n" + HIDDEN_REQUEST,
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n" + HIDDEN_REQUEST,
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n" + HIDDEN_REQUEST,
    "a chunk of a bad size": JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + HIDDEN_REQUEST,
    "a NUL in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n" + HIDDEN_REQUEST,
    "a space in the target": b"GET /livez x HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN_REQUEST,
}


@pytest.mark.parametrize("case", SMUGGLING)
def test_a_smuggled_request_is_not_carried_out(daemon, case):
    answer = raw(daemon, SMUGGLING[case])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1 and head.startswith(b"HTTP/1.1 400 "), answer
    assert b"application/problem+json" in head and json.loads(body)["type"] == "/problems/bad-request", answer
    assert b"connection: close" in head.lower(), answer
    assert daemon.get("/v1/tunnels/smuggled").status == 404


def test_another_version_of_http(daemon):
    answer = raw(daemon, b"GET /livez HTTP/3.0\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 505 ") and b"/problems/version-not-supported" in answer, answer


def test_a_slow_client_is_cut(daemon):
    """A byte a second keeps no connection: the whole request has its time."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(1)
        connection.connect(str(daemon.socket))
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ")
        begin = time.monotonic()
        answer = None
        while answer is None:
            assert time.monotonic() - begin < 40, "still kept after 40 s"
            try:
                connection.send(b"x")
                answer = connection.recv(65536)
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
        print(f"cut after {time.monotonic() - begin:.0f} s")
    assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
    assert daemon.get("/livez").status == 200


def test_idle_connections_over_tcp_shut_nobody_else_out(daemon):
    """One address gets so many connections and no more; the unix socket has its own."""
    with ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(closing(TCPConnection(daemon.host, 8080)))
            connection.connect()
        with closing(daemon.client()) as client:
            assert client.get("/livez").status == 200
    with closing(daemon.tcp_client()) as client:
        until(lambda: answers(client), 5, "TCP answers again when they are gone")


def answers(client):
    try:
        return client.get("/livez").status == 200
    except (OSError, http.client.HTTPException):
        client.close()
        return False


def test_half_a_request_does_not_hold_up_the_end(host, prepared):
    daemon = prepared(host).start()
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(str(daemon.socket))
        connection.sendall(JSON_HEAD + b"Content-Length: 100\r\n\r\n{")
        until(lambda: metric(daemon, "tunneld_http_open_connections") == [2], 5, "it is accepted")
        begin = time.monotonic()
        assert daemon.stop() == 0
        print(f"ended after {time.monotonic() - begin:.1f} s")
        assert time.monotonic() - begin < 10


def test_a_client_that_leaves_before_its_answer_does_no_harm(daemon):
    daemon.create(name="tun_left", remote="172.16.1.97")
    for number in range(20):
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(str(daemon.socket))
            body = json.dumps({"ttl": number + 1}).encode()
            head = (
                b"PATCH /v1/tunnels/tun_left HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/merge-patch+json\r\nContent-Length: %d\r\n\r\n"
            )
            connection.sendall(head % len(body) + body)
    # Whichever of these were done: the next one is answered, and the kernel has what the API shows.
    answer = daemon.patch("tun_left", {"ttl": 99})
    assert answer.status == 200 and daemon.host.kernel.links()["tun_left"].tunnel[2] == 99, answer
    assert daemon.delete("tun_left").status == 204
