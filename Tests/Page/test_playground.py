"""What `make playground` brings up: it can be opened, things happen in it, and it leaves nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from browser import Browser
from daemon import TUNNELD
from host import until
from page import Page

ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def network():
    """Namespaces of playgrounds, this machine's links, and processes of playgrounds."""

    def lines(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    namespaces = [line for line in lines("ip", "netns", "list") if "tunneld-play" in line]
    processes = [line for line in lines("ps", "-eo", "args") if "scripts/playground" in line or "scripts/forward" in line]
    return namespaces, {line.split()[0] for line in lines("ip", "-br", "link")}, processes


class ThisMachine:
    """In place of a host, for a browser on this machine."""

    @staticmethod
    def inside():
        return contextlib.nullcontext()


@pytest.fixture
def playground():
    before, port = network(), free_port()
    environment = os.environ | {"TUNNELD": str(Path(TUNNELD).resolve())}
    process = subprocess.Popen(
        [ROOT / "scripts/playground", str(port)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    lines = []
    threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
    yield before, process, port, lines
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, lines


def test_playground(playground):
    before, process, port, lines = playground
    until(lambda: any(line.startswith("Ctrl-C") for line in lines) or process.poll() is not None, 60, "it is up")
    said = "".join(lines)
    assert f"http://127.0.0.1:{port}/" in said, said
    token = said.split("Token")[1].split()[0]
    browser = Browser(ThisMachine)
    try:
        page = Page(browser)
        page.address = f"http://127.0.0.1:{port}/"
        page.sign_in(token)
        page.wait_for_row("office")
        assert {"office", "depot", "harbour", "archive", "lab", "cabin", "lost"} <= set(page.names())
        page.wait_until(lambda: any("kbit/s" in row[4] for row in page.rows()), "traffic", 60)
        page.screenshot("playground")
    finally:
        browser.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, lines
    assert network() == before
