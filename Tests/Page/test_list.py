"""All tunnels: what is shown of each, live; found and sorted; and changes made elsewhere."""

from ends import A, TUN_A

SET = [
    TUN_A | {"labels": {"site": "bern"}},
    {"name": "tun_2", "local": A, "remote": "172.16.3.9", "addresses": ["10.9.0.1/24"], "comment": "spare"},
    {"name": "tun_10", "remote": "172.16.2.9", "addresses": ["10.8.0.1/24"], "enabled": False},
]


def put(stage, tunnels=SET):
    answer = stage.a.request("POST", "/v1/apply", {"tunnels": tunnels})
    assert answer.status == 200, answer


def painted(page, name):
    """How many dots of a row's small plot have a color."""
    return page.browser.run(
        """const row = [...document.querySelectorAll('.rows .row:not([hidden])')]
            .find((row) => row.querySelector('a').textContent === arguments[0]);
        const canvas = row.querySelector('canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let [blue, orange] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
            if (data[i + 2] > data[i] + 60) blue += 1;
            if (data[i] > data[i + 2] + 60) orange += 1;
        }
        return [blue, orange]""",
        name,
    )


def bits_per_second(shown):
    number, unit = shown.split() if " " in shown else (0, "bit/s")
    return float(number) * {"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6}[unit]


def test_a_row_shows_state_ends_addresses_and_rates_that_move(writer, traffic):
    row = writer.row("tun_a")
    assert row[0] == "up"
    assert row[2].replace(" ", "") == "172.16.16.22→172.16.1.62"
    assert row[3] == "192.168.1.1/24"
    # 100 packets a second of 528 bytes are 422 kbit/s; then 5 of them.
    for column in (4, 5):
        writer.wait_until(lambda: bits_per_second(writer.row("tun_a")[column]) > 100_000, "a rate each way")
    writer.wait_until(lambda: min(painted(writer, "tun_a")) > 20, "both ways in the small plot")
    traffic.rate = 5
    for column in (4, 5):
        writer.wait_until(lambda: 0 < bits_per_second(writer.row("tun_a")[column]) < 50_000, "a lower rate each way")
    assert "Live" in writer.text("header")
    writer.screenshot("list-of-one")


def test_what_changes_elsewhere_appears_by_itself(stage, writer):
    stage.a.create(name="tun_new", remote="172.16.4.4", addresses=["10.7.0.1/24"])
    writer.wait_for_row("tun_new", "up")
    stage.a.patch("tun_new", {"addresses": ["10.7.0.2/24"], "enabled": False})
    writer.wait_until(lambda: writer.row("tun_new")[3] == "10.7.0.2/24", "the new address")
    writer.wait_for_row("tun_new", "down")
    stage.a.patch("tun_new", {"name": "tun_named"})
    writer.wait_for_row("tun_named")
    assert writer.row("tun_new") is None
    stage.a.delete("tun_named")
    writer.wait_until(lambda: writer.row("tun_named") is None, "it is gone")
    # What somebody does with `ip`.
    stage.a.patch("tun_a", {"drift_policy": "alert"})
    stage.a.host.ip("address add 192.168.1.7/24 dev tun_a")
    writer.wait_for_row("tun_a", "drifted")
    writer.wait_until(lambda: "tun_a is drifted" in writer.announced, "it is told to who can't see it")
    stage.a.host.ip("address del 192.168.1.7/24 dev tun_a")
    writer.wait_for_row("tun_a", "up")


def test_many_changes_at_once_appear_too(stage, writer):
    put(stage, [TUN_A] + [{"name": f"m_{n}", "remote": f"172.16.5.{n}"} for n in range(1, 31)])
    writer.wait_for_text("31 tunnels")
    put(stage, [TUN_A | {"comment": f"n{n}"} for n in range(1)])
    assert stage.a.request("POST", "/v1/apply", {"tunnels": [TUN_A], "prune": True}).status == 200
    writer.wait_for_text("1 tunnel,")


def test_filter_by_text(stage, writer):
    put(stage)
    writer.wait_for_text("3 tunnels")
    filter_field = writer.wait_for("input[type=search]")
    for text, names in {
        "172.16.3": ["tun_2"], "10.8.0.1": ["tun_10"], "site:bern": ["tun_a"], "SPARE": ["tun_2"],
        "tun_ 172.16.1.62": ["tun_a"], "tun_1": ["tun_10"],
    }.items():  # fmt: skip
        writer.browser.type(filter_field, text)
        writer.wait_until(lambda names=names: writer.names() == names, f"{text}: {names}")
    assert "1 of 3 tunnels" in writer.text()
    writer.browser.type(filter_field, "nowhere")
    writer.wait_for_text("No tunnel is as the filter says.")
    writer.press_button("Show all")
    writer.wait_until(lambda: len(writer.rows()) == 3, "all again")


def test_filter_by_state(stage, writer):
    put(stage)
    writer.wait_for_row("tun_10", "down")
    down = writer.browser.run("return [...document.querySelectorAll('.chip')].find((c) => /down/.test(c.textContent))")
    writer.browser.click(down)
    writer.wait_until(lambda: writer.names() == ["tun_10"], "only what is down")
    assert writer.browser.run("return arguments[0].getAttribute('aria-pressed')", down) == "true"
    writer.browser.click(down)
    writer.wait_until(lambda: len(writer.rows()) == 3, "all again")


def test_sort_by_each_column(stage, writer, traffic):
    put(stage)
    writer.wait_for_row("tun_10")
    writer.wait_until(lambda: "kbit/s" in writer.row("tun_a")[4], "a rate")
    orders = {
        "Local → remote": ["tun_a", "tun_10", "tun_2"], "Addresses": ["tun_10", "tun_2", "tun_a"],
        "State": ["tun_10", "tun_2", "tun_a"], "Name": ["tun_2", "tun_10", "tun_a"],
        "Received": ["tun_a", "tun_2", "tun_10"], "Sent": ["tun_a", "tun_2", "tun_10"],
        "Last 2 minutes": ["tun_a", "tun_2", "tun_10"],
    }  # fmt: skip
    for column, names in orders.items():
        writer.press_button(column)
        # Those without traffic are equal, so that their names decide.
        writer.wait_until(lambda first=names[0]: writer.names()[0] == first, f"{column}: {names}")
        assert set(writer.names()) == set(names)
        sorted_by = writer.browser.run("return document.querySelector('[aria-sort]:not([aria-sort=none])').textContent")
        assert sorted_by == column
    writer.press_button("Name")
    writer.wait_until(lambda: writer.names() == ["tun_2", "tun_10", "tun_a"], "names as people order them")
    writer.press_button("Name")
    writer.wait_until(lambda: writer.names() == ["tun_a", "tun_10", "tun_2"], "and turned round")
    assert writer.attribute("[data-key=name]", "aria-sort") == "descending"


def test_no_tunnels_at_all(stage, writer):
    assert stage.a.request("POST", "/v1/apply", {"tunnels": [], "prune": True}).status == 200
    writer.wait_for_text("There are no tunnels yet.")
    writer.follow("Create the first")
    writer.wait_for_text("New tunnel")
