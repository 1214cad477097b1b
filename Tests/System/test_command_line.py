"""The command line: tokens, check, options and where they come from."""

import json
import os
import subprocess
from contextlib import closing

import pytest
from conftest import started_daemon
from daemon import Daemon, problem
from host import Host, until


@pytest.fixture
def daemon(host):
    with started_daemon(host, tcp=True) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def idle():
    """One that isn't started: other commands need no daemon."""
    with closing(Host()) as host:
        daemon = Daemon(host)
        yield daemon
        daemon.discard()


def token(daemon, scope="write", *more):
    done = daemon.run("token", "create", "--scope", scope, *more)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.strip()


def test_tokens_are_made_listed_and_revoked_while_the_daemon_runs(daemon):
    secret = token(daemon, "write", "--name", "laptop")
    assert secret.startswith("tnl_") and len(secret) > 40
    with closing(daemon.tcp_client(secret)) as client:
        until(lambda: client.get("/v1/tunnels").status == 200, 2, "the new token is taken")
        client.create(name="tun_a", remote="172.16.1.62")
        listed = daemon.run("token", "list").stdout
        fields = listed.strip().split("\t")
        assert fields[1] == "write" and fields[4] == "laptop" and secret not in listed, listed
        revoked = daemon.run("token", "revoke", fields[0])
        assert revoked.returncode == 0, revoked
        until(lambda: client.get("/v1/tunnels").status == 401, 1.5, "the revoked token is refused")
        problem(client.delete("tun_a"), 401, "unauthenticated")
    assert "revoked" in daemon.run("token", "list").stdout
    again = daemon.run("token", "revoke", fields[0])
    assert again.returncode != 0 and "no valid token" in again.stderr, again
    assert daemon.tunnel("tun_a")["status"]["state"] == "up"


def test_the_database_keeps_no_secret(daemon):
    secret = token(daemon).encode()
    for path in daemon.directory.iterdir():
        if path.is_file():
            assert secret not in path.read_bytes(), path
    assert (os.stat(daemon.database).st_mode & 0o077) == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["token", "create"], "--scope"),
        (["token", "create", "--scope", "god"], "god"),
        (["token", "revoke", "x"], "x"),
        (["token", "revoke", "999"], "999"),
        (["serve", "--nonsense"], "--nonsense"),
        (["serve", "--listen", "everywhere"], "everywhere"),
        (["serve", "--listen", "127.0.0.1:70000"], "127.0.0.1:70000"),
        (["serve", "--data-plane", "pigeon"], "pigeon"),
        (["serve", "--log-level", "loud"], "loud"),
        (["serve", "--config", "/nowhere/tunneld.json"], "/nowhere/tunneld.json"),
        (["nonsense"], "nonsense"),
    ],
    ids=str,
)
def test_a_command_that_cannot_be(idle, words, said):
    done = idle.run(*words)
    assert done.returncode not in (0, None) and said in done.stderr, done
    assert "Fatal error" not in done.stderr and len(done.stderr) < 2000, done


def test_check_says_that_the_host_is_ready(daemon):
    daemon.create(name="tun_a", remote="172.16.1.62")
    done = daemon.run("check")
    assert done.returncode == 0 and "ready" in done.stdout, done
    assert {"kernel": "ipip", "bpf": "tun"}[Daemon.kind] in done.stdout, done


def test_version_and_help(daemon):
    version = daemon.run("--version").stdout.strip()
    assert daemon.get("/v1/version").json["version"] == version
    help = daemon.run("serve", "--help")
    assert help.returncode == 0 and "--listen" in help.stdout, help


def test_the_config_file_gives_what_the_command_line_leaves_open(host, prepared):
    daemon = prepared(host)
    config = daemon.directory / "tunneld.json"
    config.write_text(
        json.dumps(
            {"listen": [f"unix:{daemon.socket}"], "database": str(daemon.database), "log_format": "json"}
        )
    )
    daemon.command = daemon.command[:2] + ["--config", config]
    daemon.start()
    assert daemon.database.exists()
    until(lambda: daemon.logged("Listening"), 5, "the log says where it listens")
    assert all(json.loads(line)["message"] for line in daemon.log_file.read_text().splitlines())
    assert f"curl --unix-socket {daemon.socket}" in daemon.output_file.read_text()


def test_the_environment_overrides_the_config_file_and_is_overridden(host, prepared):
    daemon = prepared(host)
    config = daemon.directory / "tunneld.json"
    config.write_text(
        json.dumps({"listen": ["127.0.0.1:1"], "database": "/nowhere/a.db", "log_level": "error"})
    )
    daemon.command = daemon.command[:2] + ["--database", daemon.database]
    daemon.environment |= {
        "TUNNELD_CONFIG": str(config),
        "TUNNELD_LISTEN": f"unix:{daemon.socket},127.0.0.1:8080",
        "TUNNELD_DATABASE": "/nowhere/b.db",
        "TUNNELD_LOG_LEVEL": "debug",
    }
    daemon.start()
    assert daemon.database.exists()
    with closing(daemon.tcp_client()) as client:
        assert client.get("/livez").status == 200


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"lissten": []}', "lissten"),
        ('{"listen": "127.0.0.1:8080"}', "listen"),
        ("{", "JSON"),
        ('{"log_level": "loud"}', "loud"),
    ],
)
def test_a_config_file_that_cannot_be(host, prepared, text, said):
    daemon = prepared(host)
    config = daemon.directory / "tunneld.json"
    config.write_text(text)
    daemon.command += ["--config", config]
    message = daemon.failed_start()
    assert said in message and str(config) in message, message


def test_an_environment_that_cannot_be(host, prepared):
    daemon = prepared(host, environment={"TUNNELD_LOG_LEVEL": "loud"})
    assert "TUNNELD_LOG_LEVEL" in daemon.failed_start()


def test_members_of_no_group_may_not_use_the_socket(daemon):
    """Root opens the socket's file to all here, so that the peer's credentials alone decide."""
    os.chmod(daemon.directory, 0o755)
    os.chmod(daemon.socket, 0o666)
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'GET /v1/tunnels HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.recv(65536).decode())"
    )
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/usr/bin/python3",
            "-c",
            script,
            str(daemon.socket),
        ],
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.startswith("HTTP/1.1 403 ") and "/problems/forbidden" in done.stdout, done
