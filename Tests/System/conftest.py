"""Fixtures. Each test gets hosts and daemons of its own; nothing of them is left behind."""

import contextlib

import pytest
from daemon import Daemon
from host import Host


def pytest_configure(config):
    config.addinivalue_line("markers", "without_ipip: for a kernel that has no ipip")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for daemon in Daemon.running:
            report.sections.append((f"log of the daemon in {daemon.directory}", daemon.tail()))
    return report


@contextlib.contextmanager
def joined_hosts():
    with contextlib.closing(Host()) as a, contextlib.closing(Host()) as b:
        a.join(b, "172.16.16.22/16", "172.16.1.62/16")
        yield a, b


@contextlib.contextmanager
def started_daemon(*arguments, **options):
    daemon = Daemon(*arguments, **options)
    try:
        yield daemon.start()
    finally:
        daemon.discard()


@pytest.fixture
def two_hosts():
    """A, 172.16.16.22, and B, 172.16.1.62, joined by a cable."""
    with joined_hosts() as hosts:
        yield hosts


@pytest.fixture
def host():
    """A alone: its cable's other end belongs to nobody that answers."""
    with joined_hosts() as (a, _):
        yield a


@pytest.fixture
def daemon(host):
    """A daemon on A."""
    with started_daemon(host) as daemon:
        yield daemon


@pytest.fixture
def two_daemons(two_hosts):
    a, b = two_hosts
    with started_daemon(a) as on_a, started_daemon(b) as on_b:
        yield on_a, on_b


@pytest.fixture
def prepared():
    """Makes daemons that the test starts itself; all are ended."""
    daemons = []

    def prepare(*arguments, **options):
        daemons.append(Daemon(*arguments, **options))
        return daemons[-1]

    yield prepare
    for daemon in daemons:
        daemon.discard()
