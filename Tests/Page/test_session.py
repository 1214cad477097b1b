"""Who may see what: tokens that are missing, wrong, for reading only, or revoked."""

import pytest


def test_nothing_is_shown_without_a_token(page):
    page.wait_for("input[name=token]")
    assert page.focused() == "Token"
    assert "tun_a" not in page.text()
    assert "tunneld token create" in page.text(), "it says where a token comes from"
    page.press_button("Open")
    page.wait_for_text("Enter a token first.")
    page.screenshot("sign-in")


@pytest.mark.parametrize("token, words", [("wrong", "isn’t known here"), ("tökén", "Copy it again")])
def test_a_wrong_token_is_named_as_such(page, token, words):
    page.browser.type(page.wait_for("input[name=token]"), token)
    page.press_button("Open")
    page.wait_for_text(words)
    assert page.focused() == "Token"
    assert page.browser.run("return sessionStorage.length") == 0, "it isn't kept"


def test_the_token_is_kept_for_the_session_alone(stage, page):
    token = stage.token()
    page.sign_in(token)
    page.wait_for_row("tun_a")
    page.browser.reload()
    page.wait_for_row("tun_a")
    page.go("#/tunnels/tun_a")
    page.wait_for_text("Throughput")
    assert token not in page.browser.address
    assert page.browser.run("return JSON.stringify(localStorage) + document.cookie").count(token) == 0
    assert not any(token in address for address in page.browser.requests())
    page.browser.new_tab()
    page.browser.open(page.address)
    page.wait_for("input[name=token]", "another tab asks again")


def test_signing_out_forgets_it(writer):
    writer.press_button("Sign out")
    writer.wait_for("input[name=token]")
    assert writer.browser.run("return sessionStorage.length") == 0
    assert "tun_a" not in writer.text()
    writer.browser.reload()
    writer.wait_for("input[name=token]")


def test_a_token_for_reading_shows_all_and_changes_nothing(stage, page):
    page.sign_in(stage.token("read"), "#/tunnels/tun_a")
    page.wait_for_text("Counters")
    page.wait_until(lambda: not page.browser.named("button", "Delete"), "no button that changes anything")
    assert not page.browser.named("link", "Change")
    page.go("#/new")
    page.wait_for_text("This token may only look")
    page.fill(name="tun_x", remote="172.16.1.63")
    page.press_button("Show the plan")
    page.wait_for_text("This token may only look", ".notice.bad")
    # After a reload it is found out again.
    page.go("#/tunnels/tun_a")
    page.wait_for_text("Counters")
    page.browser.reload()
    page.wait_until(lambda: "Counters" in page.text() and not page.browser.named("button", "Delete"), "still none")


def test_a_token_that_is_revoked_ends_the_session(stage, page):
    page.sign_in(stage.new_token(name="short"))
    page.wait_for_row("tun_a")
    listed = stage.a.run("token", "list").stdout.splitlines()
    number = next(line.split()[0] for line in listed if "short" in line.split())
    assert stage.a.run("token", "revoke", number).returncode == 0
    page.wait_for("input[name=token]", "asked for another")
    assert "revoked" in page.text("form")
    assert "tun_a" not in page.text("main")
    page.sign_in(stage.token())
    page.wait_for_row("tun_a")
