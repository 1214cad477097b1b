"""Fixtures: two hosts with a daemon on each, packets between them, and a Chromium on the first.

The hosts, daemons and options are those of Tests/System. All tests share one browser, as it takes a second to start;
each begins with the same tunnel, and signed out.
"""

import contextlib
import importlib.util
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parents[1] / "System"
sys.path.append(str(SYSTEM))
specification = importlib.util.spec_from_file_location("system_fixtures", SYSTEM / "conftest.py")
system = importlib.util.module_from_spec(specification)
specification.loader.exec_module(system)
for hook in ("addoption", "configure", "sessionstart", "collection_modifyitems", "runtest_makereport"):
    globals()[f"pytest_{hook}"] = getattr(system, f"pytest_{hook}")

from browser import Browser  # noqa: E402
from ends import INNER_A, INNER_B, TUN_A, TUN_B  # noqa: E402
from page import Page  # noqa: E402
from traffic import Traffic  # noqa: E402


class Stage:
    """`a` and `b` are daemons; the browser is on the host of `a`."""

    def __init__(self, a, b, browser):
        self.a, self.b, self.browser = a, b, browser
        self.tokens = {}

    def token(self, scope="write"):
        """One for all tests; `new_token` makes others."""
        if scope not in self.tokens:
            self.tokens[scope] = self.new_token(scope)
        return self.tokens[scope]

    def new_token(self, scope="write", name="test"):
        done = self.a.run("token", "create", "--scope", scope, "--name", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def reset(self):
        """Nothing but the tunnel of the walk-through, on both hosts."""
        for daemon in (self.a, self.b):
            daemon.close()  # a connection that a long test left alone may be cut
        for checkpoint in self.a.get("/v1/checkpoints?limit=1").json["items"]:
            if checkpoint["state"] == "pending":
                self.a.request("POST", f"/v1/checkpoints/{checkpoint['id']}/revert")
        for daemon, tunnel in ((self.a, TUN_A), (self.b, TUN_B)):
            # Another one of the same name: nothing is kept of the former.
            for tunnels in ([], [tunnel]):
                answer = daemon.request("POST", "/v1/apply", {"tunnels": tunnels, "prune": True})
                assert answer.status == 200, answer


@pytest.fixture(scope="session")
def shared_stage():
    with system.joined_hosts() as (host_a, host_b):
        with system.started_daemon(host_a, tcp=True) as a, system.started_daemon(host_b) as b:
            with contextlib.closing(Browser(host_a)) as browser:
                yield Stage(a, b, browser)


@pytest.fixture
def stage(shared_stage):
    stage = shared_stage
    stage.reset()
    browser = stage.browser
    browser.size(1280, 800)
    browser.prefer(prefers_color_scheme="light")
    browser.open("about:blank")
    yield stage
    for handle in browser.tabs()[1:]:
        browser.switch(handle)
        browser.close_tab()
    browser.switch(browser.tabs()[0])
    if browser.address.startswith("http"):
        browser.run("sessionStorage.clear(); localStorage.clear()")
    browser.open("about:blank")


@pytest.fixture
def page(stage):
    """Signed out."""
    page = Page(stage.browser)
    page.open()
    return page


@pytest.fixture
def writer(stage):
    """Signed in with a token that may write, at the list."""
    page = Page(stage.browser)
    page.resume(stage.token())
    page.wait_for_row("tun_a", "up")
    return page


@pytest.fixture
def traffic(stage):
    """Packets through the tunnel, both ways, while the test runs."""
    with Traffic(stage.a.host, INNER_A, stage.b.host, INNER_B) as running:
        yield running
