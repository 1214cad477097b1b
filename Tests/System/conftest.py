"""Fixtures. Each test gets hosts and daemons of its own; nothing of them is left behind."""

import contextlib
import os
import sys
from pathlib import Path

import pytest
from daemon import Daemon
from ends import TUN_A, TUN_B
from host import HAS_IPIP, Host

sys.path.append(str(Path(__file__).resolve().parents[1] / "BPF"))  # for packets


def pytest_addoption(parser):
    parser.addoption(
        "--data-plane", choices=["kernel", "bpf"], help="what carries the packets (default: what auto takes)"
    )


def pytest_configure(config):
    for marker in (
        "data_plane(kind): for this data plane only",
        "ipip: for a kernel that has ipip",
        "without_ipip: for a kernel that has none",
        "packets: sends packets through tunnels",
        "thousand: with a thousand tunnels",
    ):
        config.addinivalue_line("markers", marker)
    Daemon.choice = config.getoption("--data-plane")
    Daemon.kind = Daemon.choice or ("kernel" if HAS_IPIP else "bpf")


def pytest_sessionstart():
    """Nothing is left out where tunnels can't be had: then all has failed, and this says why."""
    if os.geteuid() != 0:
        pytest.exit("the system tests take root", 1)
    if Daemon.kind == "bpf":
        with contextlib.closing(Host()) as host, contextlib.closing(Daemon(host)) as daemon:
            try:
                daemon.start()
            except AssertionError as error:
                pytest.exit(f"the data plane bpf can't be had on this kernel: {error}", 1)
            finally:
                daemon.discard()


def pytest_collection_modifyitems(config, items):
    """Leaves out what is for another data plane or another kernel."""

    def fits(item):
        kinds = [marker.args[0] for marker in item.iter_markers("data_plane")]
        if any(kind != Daemon.kind for kind in kinds):
            return False
        unfit = "without_ipip" if HAS_IPIP else "ipip"
        return item.get_closest_marker(unfit) is None

    others = [item for item in items if not fits(item)]
    items[:] = [item for item in items if fits(item)]
    config.hook.pytest_deselected(items=others)


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
def both_ends(two_daemons):
    """The daemons on A and B, with a tunnel between the hosts."""
    on_a, on_b = two_daemons
    on_a.create(**TUN_A)
    on_b.create(**TUN_B)
    return on_a, on_b


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
