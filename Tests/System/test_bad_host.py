"""A host that lacks something: said clearly, and nothing is half-done."""

import os
import socket
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from daemon import TUNNELD, Client, metric, problem
from host import until

TUNNEL = {"name": "tun_a", "local": "172.16.16.22", "remote": "172.16.1.62"}


@contextmanager
def small_disk(directory, size="1m"):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def files(directory):
    return {
        path.name: path.read_bytes() for path in directory.iterdir() if path.name.startswith("tunneld.db")
    }


@pytest.fixture
def written_database(host, prepared):
    """A directory with a database that a daemon has left."""
    daemon = prepared(host).start()
    daemon.create(**TUNNEL)
    assert daemon.stop() == 0
    return daemon


# --- Permissions


def test_without_net_admin_it_serves_and_says_so(host, prepared):
    drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    daemon = prepared(host, prefix=drop).start()
    before = host.kernel.state()
    members = problem(daemon.post(TUNNEL), 503, "permission-missing")
    assert "CAP_NET_ADMIN" in members["detail"] and members["errno"] == "EPERM", members
    assert daemon.rows() == [] and host.kernel.state() == before
    report = daemon.get("/v1/host").json
    assert report["capabilities"]["administer_network"] is False
    assert any("CAP_NET_ADMIN" in shortcoming for shortcoming in report["shortcomings"]), report
    assert daemon.stop() == 0


def test_without_net_admin_check_fails(host):
    with host.inside():
        check = subprocess.run(
            ["setpriv", "--bounding-set=-net_admin", TUNNELD, "check"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert check.returncode == 1 and "CAP_NET_ADMIN" in check.stdout + check.stderr, check


# --- Addresses


def test_a_port_in_use(host, prepared):
    daemon = prepared(host, tcp=True)
    with host.inside(), closing(socket.create_server(("127.0.0.1", 8080))):
        said = daemon.failed_start()
    assert "127.0.0.1:8080" in said and "listens" in said, said


def test_what_cannot_listen_has_touched_nothing(written_database, prepared):
    """Its database doesn't have the tunnel, whose link it would remove if it got so far."""
    host = written_database.host
    before = host.kernel.state()
    with host.inside(), closing(socket.create_server(("127.0.0.1", 8080))):
        prepared(host, tcp=True).failed_start()
    assert host.kernel.state() == before and "tun_a" in host.kernel.links()


def test_a_unix_socket_in_use(two_hosts, prepared):
    """Two network namespaces that share a file system, as containers may."""
    a, b = two_hosts
    first, second = prepared(a).start(), prepared(b)
    second.command[second.command.index(f"unix:{second.socket}")] = f"unix:{first.socket}"
    assert str(first.socket) in second.failed_start()
    assert first.get("/livez").status == 200
    with closing(first.client()) as client:
        assert client.get("/livez").status == 200, "the first one's socket was taken away"


def test_a_file_that_is_no_socket_is_kept(host, prepared):
    daemon = prepared(host)
    daemon.socket.write_text("precious")
    assert "not a socket" in daemon.failed_start()
    assert daemon.socket.read_text() == "precious"


def test_a_socket_left_by_a_killed_daemon_is_no_hindrance(host, prepared):
    daemon = prepared(host).start()
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()


def test_an_address_that_the_host_has_not(host, prepared):
    daemon = prepared(host)
    daemon.command += ["--listen", "192.0.2.1:8080"]
    assert "192.0.2.1:8080" in daemon.failed_start()


# --- The database


def test_a_second_daemon_on_the_same_database(daemon, prepared):
    daemon.create(**TUNNEL)
    second = prepared(daemon.host, directory=daemon.directory)
    second.socket = daemon.directory / "second.sock"
    second.log_file = daemon.directory / "second.log"
    second.command[second.command.index(f"unix:{daemon.socket}")] = f"unix:{second.socket}"
    said = second.failed_start()
    assert str(daemon.database) in said and "Stop the other tunneld" in said, said
    assert daemon.tunnel("tun_a")["status"]["state"] == "up"


def test_a_second_daemon_with_another_database(daemon, prepared):
    """Two daemons on one host would remove each other's links."""
    link = daemon.create(**TUNNEL)["status"]["ifindex"]
    assert "another tunneld" in prepared(daemon.host).failed_start().lower()
    assert daemon.host.kernel.links()["tun_a"].index == link


@pytest.mark.parametrize("is_alone", [False, True])
def test_a_database_that_somebody_else_writes(daemon, is_alone):
    """Reads go on, writes wait; for too long, and they are refused and nothing is in the kernel. A client that is alone
    is waited for by the thread that reads its requests: others come to another."""
    before = daemon.host.kernel.state()
    with closing(
        sqlite3.connect(daemon.database, isolation_level=None)
    ) as other, ThreadPoolExecutor() as pool:
        other.execute("BEGIN IMMEDIATE")
        if is_alone:
            daemon.close()
        write = pool.submit(Client.post, daemon.client(), TUNNEL)
        until(lambda: metric(daemon, "tunneld_http_deferred_answers") == [1], 5, "the write waits")
        begin = time.monotonic()
        assert daemon.get("/v1/tunnels").status == daemon.get("/v1/stats").status == 200
        assert time.monotonic() - begin < 1 and not write.done()
        answer = write.result(30)
        assert answer.status == 503 and answer.headers["retry-after"], answer
        assert daemon.host.kernel.state() == before
        write = pool.submit(Client.post, daemon.client(), TUNNEL)
        until(lambda: metric(daemon, "tunneld_http_deferred_answers") == [1], 5, "the write waits")
        other.execute("ROLLBACK")
        assert write.result(30).status == 201


def test_a_directory_that_cannot_be_written(host, prepared):
    daemon = prepared(host)
    disk = daemon.directory / "disk"
    disk.mkdir()
    with small_disk(disk):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        daemon.command[daemon.command.index(daemon.database)] = disk / "tunneld.db"
        said = daemon.failed_start()
    assert str(disk / "tunneld.db") in said, said


def test_a_database_from_a_later_version_is_left_as_it_is(written_database):
    daemon = written_database
    with closing(sqlite3.connect(daemon.database)) as database:
        database.execute("INSERT INTO grdb_migrations VALUES ('m9999_later')")
        database.commit()
    before = files(daemon.directory)["tunneld.db"]
    said = daemon.failed_start()
    assert "m9999_later" in said and "Install the tunneld that wrote it" in said, said
    assert files(daemon.directory)["tunneld.db"] == before


def test_a_database_of_another_program_is_left_as_it_is(host, prepared):
    daemon = prepared(host)
    with closing(sqlite3.connect(daemon.database)) as database:
        database.execute("CREATE TABLE address_book (name TEXT)")
        database.commit()
    before = files(daemon.directory)["tunneld.db"]
    said = daemon.failed_start()
    assert "not one of tunneld" in said and "Name another database" in said, said
    assert files(daemon.directory)["tunneld.db"] == before


@pytest.mark.parametrize("damage", ["text", "cut off", "broken page"])
def test_a_damaged_database_is_left_as_it_is(written_database, damage):
    daemon = written_database
    content = daemon.database.read_bytes()
    if damage == "text":
        daemon.database.write_bytes(b"These are not the tunnels that you look for.\n" * 200)
    elif damage == "cut off":
        daemon.database.write_bytes(content[: len(content) // 2])
    else:
        with closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as database:
            page = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tunnel'").fetchone()[0]
        size = int.from_bytes(content[16:18], "big")
        start = (page - 1) * size
        daemon.database.write_bytes(content[:start] + b"\xa5" * size + content[start + size :])
    before = daemon.database.read_bytes()
    said = daemon.failed_start()
    assert str(daemon.database) in said and "Restore a backup" in said, said
    assert daemon.database.read_bytes() == before


@pytest.mark.parametrize("output", ["/dev/full", "a closed pipe"])
def test_a_log_that_cannot_be_written_ends_nothing(host, prepared, output):
    """A daemon whose log stands on the disk that is full goes on, and so does one whose reader has gone."""
    words = 'exec "$@" >/dev/full 2>&1' if output == "/dev/full" else 'exec "$@" > >(exit) 2>&1'
    daemon = prepared(host, prefix=["bash", "-c", words, "bash"]).start()
    daemon.create(**TUNNEL)
    host.ip("link set tun_a mtu 1300")
    until(lambda: daemon.get("/v1/tunnels/tun_a/drift").json["items"], 5, "drift, which is logged")
    assert daemon.patch("tun_a", {"ttl": 9}).status == 200
    assert daemon.stop() == 0


def test_a_full_disk(host, prepared):
    daemon = prepared(host)
    disk = daemon.directory / "disk"
    disk.mkdir()
    with small_disk(disk):
        daemon.database = disk / "tunneld.db"
        daemon.command[daemon.command.index("--database") + 1] = daemon.database
        daemon.start()
        daemon.create(**TUNNEL)
        before = host.kernel.state()
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            with pytest.raises(OSError):
                while True:
                    file.write(bytes(4096))
        # What SQLite's log still has room for may go through; then it ends.
        answers = [daemon.post({"name": f"tun_{n}", "remote": f"172.16.3.{n + 1}"}) for n in range(40)]
        refused = [answer for answer in answers if answer.status != 201]
        assert refused, "forty tunnels fitted on a full disk"
        for answer in refused:
            problem(answer, 507, "storage-full")
        accepted = {answer.json["name"] for answer in answers if answer.status == 201}
        assert set(daemon.tunnels()) == {"tun_a"} | accepted
        links = host.kernel.links()
        assert {name for name in links if name.startswith("tun_")} == {"tun_a"} | accepted
        problem(daemon.patch("tun_a", {"comment": "x" * 1000, "ttl": 9}), 507, "storage-full")
        assert host.kernel.links()["tun_a"] == {link.name: link for link in before[0]}["tun_a"]
        problem(daemon.delete("tun_a"), 507, "storage-full")
        assert "tun_a" in host.kernel.links()
        # What somebody else breaks is repaired though the event can't be stored.
        host.ip("link del tun_a")
        until(lambda: "tun_a" in host.kernel.links(), 2, "tun_a is repaired")
        os.unlink(filler)
        daemon.create(name="tun_after", remote="172.16.4.1")
        assert daemon.patch("tun_a", {"ttl": 9}).status == 200
        daemon.restart()
        assert set(daemon.tunnels()) == {"tun_a", "tun_after"} | accepted
        daemon.kill()
        daemon.database = daemon.directory / "tunneld.db"
