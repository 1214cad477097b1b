"""Creating, changing, switching and deleting; and what is said when it can't be."""

from ends import TUN_A


def dialog(page):
    page.wait_for("dialog[open]")
    return page.text("dialog")


def test_create_shows_a_plan_first(stage, writer):
    writer.follow("New")
    writer.fill(
        name="tun_n", local="172.16.16.22", remote="172.16.4.4", addresses="10.7.0.1/24\n10.7.1.1/24",
        routes="10.30.0.0/16 metric 50", mtu="1400", ttl="64", labels="site=bern", comment="new", drift_policy="alert",
    )  # fmt: skip
    writer.press_button("Show the plan")
    shown = dialog(writer)
    assert "create tun_n" in shown and "add_address address 10.7.0.1/24" in shown, shown
    assert "add_route to 10.30.0.0/16, metric 50" in shown
    writer.screenshot("plan-create")
    assert "tun_n" not in stage.a.tunnels(), "a plan touches nothing"
    writer.press_button("Back to the form")
    writer.wait_until(lambda: not writer.browser.find("dialog"), "closed")
    writer.press_button("Show the plan")
    writer.press_button("Create it")
    writer.wait_until(lambda: writer.fragment == "#/tunnels/tun_n", "it is shown")
    made = stage.a.tunnel("tun_n")
    assert made["addresses"] == ["10.7.0.1/24", "10.7.1.1/24"]
    assert made["routes"] == [{"to": "10.30.0.0/16", "metric": 50}]
    assert (made["mtu"], made["ttl"], made["labels"], made["comment"]) == (1400, 64, {"site": "bern"}, "new")
    assert made["drift_policy"] == "alert" and made["status"]["state"] == "up"


def test_errors_stand_at_their_fields(stage, writer):
    writer.go("#/new")
    writer.fill(name="a b", remote="224.0.0.1", addresses="10.7.0.1/24\nnonsense", routes="10.20.0.1/16")
    writer.fill(ttl="999", mtu="12")
    writer.press_button("Show the plan")
    writer.wait_until(lambda: writer.fault("name"), "the server's words")
    assert writer.focused() == "Name"
    assert "letters" in writer.fault("name")
    # Values are judged when the shape is right, so what was wrong with that comes first.
    writer.fill(name="tun_x", addresses="10.7.0.1/24")
    writer.press_button("Show the plan")
    writer.wait_until(lambda: "multicast" in writer.fault("remote"), "about the remote")
    assert writer.fault("routes").startswith("Line 1: ") and "10.20.0.0/16" in writer.fault("routes")
    assert writer.fault("ttl") and writer.fault("mtu") and not writer.fault("name")
    writer.screenshot("errors-at-fields")
    writer.fill(mtu="many")
    writer.press_button("Show the plan")
    writer.wait_until(lambda: "whole number" in writer.fault("mtu"), "what can't be sent at all")


def test_a_name_that_is_taken(stage, writer):
    writer.go("#/new")
    writer.fill(name="tun_a", remote="172.16.4.4")
    writer.press_button("Show the plan")
    writer.wait_until(lambda: "choose another name" in writer.fault("name"), "the name is taken")
    # Endpoints: the server's own words, with the other's name.
    writer.fill(name="tun_x", remote=TUN_A["remote"], local=TUN_A["local"])
    writer.press_button("Show the plan")
    writer.wait_for_text("the tunnel tun_a", "form")
    assert "tun_x" not in stage.a.tunnels()


def test_only_what_changed_is_sent(stage, writer):
    stage.a.patch("tun_a", {"labels": {"site": "bern", "old": "1"}})
    writer.go("#/tunnels/tun_a/edit")
    writer.wait_for_text("Change tun_a")
    writer.fill(mtu="1300", labels="site=bern\nnew=2")
    writer.press_button("Show the plan")
    shown = dialog(writer)
    assert "1300" in shown and "set_mtu" in shown and "old=1" in shown, shown
    writer.browser.run("""window.sent = [];
        const asked = window.fetch;
        window.fetch = (path, options) => {
            if (options.method === 'PATCH') sent.push([options.body, options.headers]);
            return asked(path, options);
        }""")
    revision = stage.a.tunnel("tun_a")["revision"]
    writer.press_button("Change it")
    writer.wait_until(lambda: writer.fragment == "#/tunnels/tun_a", "it is shown")
    [[body, headers]] = writer.browser.run("return sent")
    assert body == '{"mtu":1300,"labels":{"site":"bern","new":"2","old":null}}'
    assert headers["If-Match"] == f'"{revision}"'
    changed = stage.a.tunnel("tun_a")
    assert changed["mtu"] == 1300 and changed["labels"] == {"site": "bern", "new": "2"}


def test_a_tunnel_is_renamed(stage, writer):
    writer.go("#/tunnels/tun_a/edit")
    writer.wait_for_text("Change tun_a")
    writer.fill(name="tun_z")
    writer.press_button("Show the plan")
    shown = dialog(writer)
    assert "rename" in shown and "tun_z" in shown, shown
    writer.press_button("Change it")
    writer.wait_until(lambda: writer.fragment == "#/tunnels/tun_z", "it is shown")
    assert list(stage.a.tunnels()) == ["tun_z"]


def test_a_change_by_somebody_else_is_loaded(stage, writer):
    writer.go("#/tunnels/tun_a/edit")
    writer.wait_for_text("Change tun_a")
    writer.fill(comment="mine")
    stage.a.patch("tun_a", {"mtu": 1350, "comment": "theirs"})
    writer.press_button("Show the plan")
    writer.press_button("Change it")
    writer.wait_for_text("Somebody else changed it meanwhile")
    assert stage.a.tunnel("tun_a")["comment"] == "theirs", "nothing was lost"
    writer.screenshot("conflict")
    writer.press_button("Load what is there now")
    writer.wait_for_text("what you typed is still here")
    value = "return document.querySelector(`form [name=${arguments[0]}]`).value"
    assert writer.browser.run(value, "mtu") == "1350"
    assert writer.browser.run(value, "comment") == "mine"
    assert "Comment" in writer.text("form .notice"), "changed by both"
    writer.press_button("Show the plan")
    writer.press_button("Change it")
    writer.wait_until(lambda: writer.fragment == "#/tunnels/tun_a", "done")
    changed = stage.a.tunnel("tun_a")
    assert (changed["mtu"], changed["comment"]) == (1350, "mine")


def test_what_the_kernel_refuses(stage, writer):
    """Somebody else's link has the name: known only when the kernel is asked."""
    stage.a.host.add_somebodys_tunnel("theirs", "172.16.9.9")
    writer.go("#/new")
    writer.fill(name="theirs", remote="172.16.4.4")
    writer.press_button("Show the plan")
    writer.wait_for_text("a link of kind", ".notice.bad")
    # The same between the plan and the deed.
    writer.fill(name="later")
    writer.press_button("Show the plan")
    writer.wait_for("dialog[open]")
    stage.a.host.add_somebodys_tunnel("later", "172.16.9.9")
    writer.press_button("Create it")
    writer.wait_until(lambda: "later is a link of kind" in writer.fault("name") + writer.text(".notice.bad"), "it is refused")
    writer.screenshot("refused")
    assert list(stage.a.tunnels()) == ["tun_a"]
    stage.a.host.ip("link del theirs", "link del later")


def test_switch_off_and_on(stage, writer):
    writer.go("#/tunnels/tun_a")
    writer.press_button("Switch off")
    assert "set_up" in dialog(writer)
    writer.press_button("Switch off")
    writer.wait_for_text("Switch on")
    assert stage.a.tunnel("tun_a")["status"]["state"] == "down"
    assert writer.text(".state") == "down"
    writer.press_button("Switch on")
    writer.wait_for("dialog[open]")
    writer.press_button("Switch on")
    writer.wait_for_text("Switch off")
    assert stage.a.tunnel("tun_a")["enabled"]


def test_delete_asks_first(stage, writer):
    writer.go("#/tunnels/tun_a")
    writer.press_button("Delete")
    shown = dialog(writer)
    assert "address 192.168.1.1/24" in shown and "can’t be taken back" in shown
    writer.press_button("Cancel")
    writer.wait_until(lambda: not writer.browser.find("dialog"), "closed")
    assert "tun_a" in stage.a.tunnels()
    # Somebody changes it while the question stands.
    writer.press_button("Delete")
    writer.wait_for("dialog[open]")
    stage.a.patch("tun_a", {"comment": "still needed"})
    writer.press_button("Delete tun_a")
    writer.wait_for_text("Somebody else changed it meanwhile", "dialog")
    writer.press_button("Cancel")
    writer.wait_until(lambda: not writer.browser.find("dialog") and "still needed" in writer.text("main"), "closed")
    writer.press_button("Delete")
    writer.press_button("Delete tun_a")
    writer.wait_until(lambda: writer.fragment == "#/", "back at the list")
    assert stage.a.tunnels() == {}
