"""A Chromium in a host's network, driven over the W3C WebDriver protocol."""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

from daemon import Client, TCPConnection
from host import until

PORT = 9515
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Home": "\ue011", "End": "\ue010", "PageDown": "\ue00f",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Shift": "\ue008",
    "Control": "\ue009", "Space": " ", "Delete": "\ue017",
}  # fmt: skip
# It asks nobody but the pages that it is told to open, and as root it has no sandbox.
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--window-size=1280,800", "--force-device-scale-factor=1",
]  # fmt: skip


class WebDriverError(Exception):
    pass


class Browser:
    def __init__(self, host):
        self.profile = tempfile.TemporaryDirectory(prefix="tunneld-chromium-")
        with host.inside():
            self.driver = subprocess.Popen(
                ["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        self.client = Client(TCPConnection(host, PORT, timeout=60))
        self.session = ""
        until(self.is_ready, 20, "chromedriver answers")
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.profile.name}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
        made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def is_ready(self):
        assert self.driver.poll() is None, "chromedriver ended"
        try:
            return self.client.get("/status").json["value"]["ready"]
        except OSError:
            self.client.close()
            return False

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.client.close()
            self.driver.terminate()
            self.driver.wait(20)
            self.profile.cleanup()

    def ask(self, method, path, body=None):
        answer = self.client.request(method, self.session + path, {} if body is None and method == "POST" else body)
        value = answer.json["value"]
        if answer.status != 200:
            raise WebDriverError(f"{path}: {value['error']}: {value['message'][:600]}")
        return value

    def open(self, address):
        self.ask("POST", "/url", {"url": address})

    @property
    def address(self):
        return self.ask("GET", "/url")

    def back(self):
        self.ask("POST", "/back")

    def reload(self):
        self.ask("POST", "/refresh")

    def run(self, script, *arguments):
        """The value that a function with this body returns; elements come and go as they are."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        """The one element that is visible, by CSS."""
        found = self.run(
            "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())", selector
        )
        return found[0] if found else None

    def named(self, role, name):
        """The visible button, link or heading of this text."""
        tags = {"button": "button", "link": "a", "heading": "h1,h2,h3"}[role]
        return self.run(
            """const open = document.querySelector('dialog[open]') ?? document;
            return [...open.querySelectorAll(arguments[0])].find((e) => e.checkVisibility() &&
                e.textContent.trim().replace(/ [▲▼]$/, '') === arguments[1]) ?? null""",
            tags, name,
        )  # fmt: skip

    def click(self, element):
        self.ask("POST", f"/element/{element[ELEMENT]}/click")

    def type(self, element, text):
        """Replaces what a field holds, or chooses from a list."""
        if self.run("return arguments[0].tagName", element) == "SELECT":
            self.ask("POST", f"/element/{element[ELEMENT]}/value", {"text": text})
            return
        self.ask("POST", f"/element/{element[ELEMENT]}/clear")
        self.ask("POST", f"/element/{element[ELEMENT]}/value", {"text": text})

    def press(self, *keys, holding=None):
        """Keys by name or character, to whatever has the focus."""
        held = [KEYS[holding]] if holding else []
        strokes = [{"type": "keyDown", "value": key} for key in held]
        for key in keys:
            value = KEYS.get(key, key)
            strokes += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        strokes += [{"type": "keyUp", "value": key} for key in held]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height):
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, **features):
        """`prefers-color-scheme` and such, as the system would have them."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", features=named)

    def screenshot(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def console(self):
        """What the browser complained of since it was last asked."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that were asked for since this was last asked."""
        log = self.ask("POST", "/se/log", {"type": "performance"})
        entries = [json.loads(entry["message"])["message"] for entry in log]
        sent = [entry["params"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        return [parameters["request"]["url"] for parameters in sent]

    def tabs(self):
        return self.ask("GET", "/window/handles")

    def new_tab(self):
        self.switch(self.ask("POST", "/window/new", {"type": "tab"})["handle"])

    def switch(self, handle):
        self.ask("POST", "/window", {"handle": handle})

    def close_tab(self):
        self.ask("DELETE", "/window")
