"""Tokens from the command line, used over TCP."""

import http.client

from conftest import TUNNELD, until


def status_over_tcp(host, token, method="GET", path="/v1/tunnels"):
    """The status that a request over TCP gets on that host."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, f"http://127.0.0.1:8080{path}"]
    return int(host.run(*words, "-H", f"Authorization: Bearer {token}").stdout)


def token(host, daemon, *words):
    return host.run(TUNNELD, "token", *words, "--database", str(daemon.database)).stdout.strip()


def test_a_token_made_while_the_daemon_runs_becomes_good(host, daemon):
    assert status_over_tcp(host, "nonsense") == http.client.UNAUTHORIZED
    secret = token(host, daemon, "create", "--scope", "write")
    assert until(lambda: status_over_tcp(host, secret) == http.client.OK)


def test_a_token_may_do_what_its_scope_says(host, daemon):
    reader = token(host, daemon, "create", "--scope", "read")
    assert until(lambda: status_over_tcp(host, reader) == http.client.OK)
    assert status_over_tcp(host, reader, "DELETE", "/v1/tunnels/tun_a") == http.client.FORBIDDEN


def test_a_revoked_token_is_refused(host, daemon):
    secret = token(host, daemon, "create", "--scope", "write")
    assert until(lambda: status_over_tcp(host, secret) == http.client.OK)
    number = token(host, daemon, "list").split()[0]
    token(host, daemon, "revoke", number)
    assert until(lambda: status_over_tcp(host, secret) == http.client.UNAUTHORIZED)
