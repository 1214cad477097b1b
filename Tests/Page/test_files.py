"""What the page is made of, and how it is served: no stranger's server, no way for a text to become a script."""

import gzip
import re
from pathlib import Path

import pytest
from page import ADDRESS

FILES = Path(__file__).resolve().parents[2] / "Sources/TunnelAPI/Page"
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
NAMES = sorted(file.name for file in FILES.iterdir())


def text(name):
    return (FILES / name).read_text()


def path(name):
    return "/" if name == "index.html" else f"/assets/{name}"


def named_in(name):
    """The files that a file asks for."""
    found = re.findall(r"/assets/([a-z.]+)", text(name))
    return found + re.findall(r"from '\./([a-z.]+)'", text(name))


def test_every_file_is_asked_for_and_every_one_that_is_is_there():
    asked = {"index.html"}
    while more := {other for name in asked for other in named_in(name)} - asked:
        asked |= more
    assert sorted(asked) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_no_file_does_what_it_must_not(name):
    content = text(name)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", content), "another server"
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser",
                 "cssText", "setAttribute('style'", " style=", "onclick=", "import("):  # fmt: skip
        assert word not in content, word
    if name.endswith(".html"):
        assert not re.search(r"<style|<script(?![^>]*\ssrc=)", content), "nothing inline"
    assert max(map(len, content.splitlines())) <= 140, "a line that nobody reads"
    assert len(content.splitlines()) <= 400


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_served_to_anybody(stage, name):
    content = (FILES / name).read_bytes()
    client = stage.a.tcp_client()
    answer = client.get(path(name))
    assert answer.status == 200 and answer.body == content
    assert answer.headers["content-type"] == f"{TYPES[Path(name).suffix]}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"].split("; ")
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
                 "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):  # fmt: skip
        assert rule in policy
    packed = client.get(path(name), accept_encoding="gzip")
    if packed.headers["content-encoding"] == "gzip":
        assert gzip.decompress(packed.body) == content and len(packed.body) < len(content)
    else:
        assert len(content) < 300, "not worth it"
    for known in (answer, packed):
        again = client.get(path(name), if_none_match=known.headers["etag"])
        assert again.status == 304 and not again.body
    client.close()


def test_what_isnt_there_is_a_problem(stage):
    client = stage.a.tcp_client()
    for wrong in ("/assets/nothing.js", "/assets/..%2Fopenapi.yaml", "/assets/"):
        answer = client.get(wrong)
        assert answer.status in (401, 404) and answer.headers["content-type"] == "application/problem+json", answer
    client.close()


def test_the_browser_finds_nothing_to_complain_of(stage, page, traffic):
    """Every view, and not one request to somebody else, nor one thing that the policy forbids."""
    page.browser.console()
    page.browser.requests()
    page.sign_in(stage.token())
    page.wait_for_row("tun_a")
    views = {"#/tunnels/tun_a": "Counters", "#/new": "New tunnel", "#/apply": "Apply a set", "#/": "tun_a"}
    for place, ready in views.items():
        page.go(place)
        page.wait_for_text(ready)
    page.go("#/tunnels/tun_a")
    page.press_button("Delete")
    page.press_button("Cancel")
    asked = page.browser.requests()
    assert f"{ADDRESS}v1/stats/stream" in asked and f"{ADDRESS}v1/events" in asked
    assert [address for address in asked if not address.startswith(ADDRESS) and address != "about:blank"] == []
    assert page.browser.console() == []


def test_the_policy_is_in_force(stage, writer):
    """What got into the page all the same couldn't do anything."""
    outcome = writer.browser.run("""const script = document.createElement('script');
        try { script.textContent = 'window.hacked = true'; document.body.append(script) } catch (e) { return e.name }
        return window.hacked ?? 'not run'""")
    assert outcome in ("TypeError", "not run")
    parse = "try { document.body.innerHTML = '<b>x</b>'; return 'parsed' } catch (e) { return e.name }"
    assert writer.browser.run(parse) == "TypeError"
    ask = "return fetch('http://127.0.0.1:8081/').then(() => 'sent', (e) => e.name)"
    assert writer.browser.run(ask) == "TypeError"
    assert any("Content Security Policy" in line for line in writer.browser.console())


def test_texts_of_others_stay_texts(stage, writer):
    trap = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    stage.a.patch("tun_a", {"comment": trap, "labels": {"site": trap}})
    writer.wait_until(lambda: trap in writer.text(), "as it was written")
    writer.go("#/tunnels/tun_a")
    writer.wait_until(lambda: trap in writer.text("main"), "there too")
    assert writer.browser.run("return window.hacked ?? null") is None
