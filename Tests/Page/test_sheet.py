"""A whole set: its plan, applied for good or for a try."""

from ends import TUN_A

YAML = """---
# two of them
- name: tun_a
  local: 172.16.16.22
  remote: 172.16.1.62
  addresses: [192.168.1.1/24]
  mtu: 1400
- name: tun_y
  remote: 172.16.4.4
"""


def plan(page, text):
    page.go("#/apply")
    page.wait_for_text("Apply a set")
    page.browser.type(page.wait_for("textarea"), text)
    page.press_button("Show the plan")


def test_yaml_is_planned_then_applied(stage, writer):
    plan(writer, YAML)
    writer.wait_for_text("Create 1, change 1.")
    shown = writer.text(".plan")
    assert "create tun_y" in shown and "mtu" in shown and "1400" in shown and "set_mtu" in shown, shown
    assert list(stage.a.tunnels()) == ["tun_a"], "a plan touches nothing"
    writer.screenshot("plan-set")
    writer.press_button("Apply")
    writer.wait_for_text("Done: 1 created, 1 changed, 0 deleted, 0 left as they were.")
    assert stage.a.tunnel("tun_a")["mtu"] == 1400 and "tun_y" in stage.a.tunnels()
    writer.follow("Tunnels")
    writer.wait_for_row("tun_y", "up")


def test_json_that_deletes_says_so_on_the_button(stage, writer):
    stage.a.create(name="tun_old", remote="172.16.4.4")
    plan(writer, '{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}], "prune": true}')
    writer.wait_for_text("delete tun_old")
    writer.press_button("Apply, and delete 1 tunnel")
    writer.wait_for_text("Done:")
    assert list(stage.a.tunnels()) == ["tun_a"]


def test_what_was_shown_is_what_is_done(stage, writer):
    plan(writer, YAML)
    writer.wait_for_text("Create 1, change 1.")
    stage.a.create(name="tun_between", remote="172.16.5.5")
    writer.press_button("Apply")
    writer.wait_for_text("Somebody else changed it meanwhile")
    assert "tun_y" not in stage.a.tunnels()
    writer.press_button("Load what is there now")
    writer.wait_for_text("Create 1, change 1.")
    # A plan of another text is no plan.
    writer.browser.type(writer.wait_for("textarea"), "[]")
    writer.wait_until(lambda: not writer.browser.find(".plan"), "the plan is gone")
    writer.press_button("Show the plan")
    writer.wait_for_text("All of it is true already.")


def test_errors_of_a_set(stage, writer):
    plan(writer, "tunnels:\n- name: tun_x\n  remote: 224.0.0.1\n")
    writer.wait_for_text("/tunnels/0/remote", ".notice.bad")
    assert "multicast" in writer.text(".notice.bad")
    plan(writer, "tunnels: [}")
    writer.wait_for_text("YAML", ".notice.bad")
    plan(writer, '{"tunnels": ')
    writer.wait_for_text("isn’t JSON", ".notice.bad")
    plan(writer, " ")
    writer.wait_for_text("Paste a set of tunnels first.")


def test_a_try_is_confirmed(stage, writer):
    try_it(writer, YAML)
    for place in ("#/", "#/tunnels/tun_y", "#/new", "#/apply"):
        writer.go(place)
        writer.wait_until(lambda: "goes back in" in writer.text("#notices"), f"shown at {place}")
    left = seconds(writer)
    writer.wait_until(lambda: seconds(writer) < left, "the time runs")
    writer.screenshot("checkpoint")
    # Nothing else may change meanwhile.
    writer.go("#/new")
    writer.fill(name="tun_q", remote="172.16.6.6")
    writer.press_button("Show the plan")
    writer.press_button("Create it")
    writer.wait_for_text("confirm", ".notice.bad")
    writer.press_button("Keep it")
    writer.wait_for_text("The change was kept")
    assert stage.a.get("/v1/checkpoints?limit=1").json["items"][0]["state"] == "confirmed"
    assert "tun_y" in stage.a.tunnels()


def test_a_try_is_taken_back(stage, writer):
    try_it(writer, YAML)
    writer.press_button("Take it back now")
    writer.wait_for_text("The change went back")
    assert list(stage.a.tunnels()) == ["tun_a"]
    writer.go("#/")
    writer.wait_until(lambda: writer.names() == ["tun_a"], "as before")


def test_a_try_that_somebody_else_made_goes_back_by_itself(stage, writer):
    body = {"tunnels": [TUN_A | {"mtu": 1390}], "confirm_within_seconds": 2}
    assert stage.a.request("POST", "/v1/apply", body).status == 200
    writer.wait_for_text("goes back in", "#notices")
    writer.wait_for_text("The change went back, by deadline.")
    assert stage.a.tunnel("tun_a")["mtu"] is None


def try_it(page, text):
    page.go("#/apply")
    page.wait_for_text("Apply a set")
    page.browser.type(page.wait_for("textarea"), text)
    page.browser.click(page.wait_for(".try input[type=checkbox]"))
    page.press_button("Show the plan")
    page.press_button("Apply")
    page.wait_for_text("goes back in", "#notices")


def seconds(page):
    return int(page.text("#notices").split("goes back in ")[1].split(" ")[0])
