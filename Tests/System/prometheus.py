"""The real Prometheus, on a test's host, and what it makes of the files in contrib/prometheus."""

import http.client
import json
import re
import subprocess
import urllib.parse
from pathlib import Path

import yaml
from host import until

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "contrib/prometheus"
PROGRAMS = ROOT / ".build/prometheus/usr/bin"


def promtool(*words, **options):
    """Runs promtool where the files are."""
    return subprocess.run(
        [PROGRAMS / "promtool", *words], cwd=FILES, text=True, capture_output=True, timeout=60, **options
    )


def rules():
    """The alert rules as they are shipped."""
    groups = yaml.safe_load((FILES / "tunneld.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def impatient_rules():
    """The same, but that each fires at once: how long it waits is tested by promtool."""
    shipped = yaml.safe_load((FILES / "tunneld.rules.yml").read_text())
    for group in shipped["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(shipped)


def dashboard_queries():
    """Each query of the dashboard, of its panels and of its variables, as Grafana would send it."""
    dashboard = json.loads((FILES / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            queries.append(re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1])
    values = {"$__rate_interval": "20s", "$instance": ".+", "$tunnel": ".+"}
    for name, value in values.items():
        queries = [query.replace(name, value) for query in queries]
    assert not [query for query in queries if "$" in query], "a variable that the dashboard doesn't have"
    return queries


def metric_names(query):
    """The metrics that an expression is made of."""
    return set(re.findall(r"\b(?:tunneld|process)_\w+", re.sub(r'"[^"]*"', "", query)))


class Prometheus:
    """Scrapes the daemon of a host each second, as the configuration that is shipped says."""

    PORT = 9090

    def __init__(self, host, directory, token):
        self.host = host
        self.directory = directory
        self.log_file = directory / "prometheus.log"
        configuration = yaml.safe_load((FILES / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        (directory / "tunneld.rules.yml").write_text(impatient_rules())
        (directory / "tunneld.token").write_text(token + "\n")

    def __enter__(self):
        with self.host.inside(), open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [
                    PROGRAMS / "prometheus",
                    f"--config.file={self.directory}/prometheus.yml",
                    f"--storage.tsdb.path={self.directory}/data",
                    f"--web.listen-address=127.0.0.1:{self.PORT}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        try:
            until(self.is_ready, 20, "Prometheus is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def is_ready(self):
        assert self.process.poll() is None, self.log_file.read_text()
        try:
            return self.ask("/-/ready")[0] == 200
        except OSError:
            return False

    def ask(self, path, **parameters):
        with self.host.inside():
            connection = http.client.HTTPConnection("127.0.0.1", self.PORT, timeout=10)
            connection.connect()
        query = urllib.parse.urlencode(parameters)
        connection.request("GET", f"{path}?{query}" if query else path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def data(self, what, **parameters):
        status, body = self.ask(f"/api/v1/{what}", **parameters)
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", f"{what} {parameters}: {answer}"
        assert not answer.get("warnings"), f"{what} {parameters}: {answer['warnings']}"
        return answer["data"]

    def query(self, expression):
        """The samples of an instant query: labels and value of each."""
        data = self.data("query", query=expression)
        assert data["resultType"] == "vector", expression
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def value(self, expression):
        """The one value; None where there is none yet."""
        values = [value for _, value in self.query(expression)]
        assert len(values) <= 1, f"{expression}: {values}"
        return values[0] if values else None

    def firing(self):
        """The alerts that fire: name and labels."""
        alerts = self.data("alerts")["alerts"]
        return [(alert["labels"]["alertname"], alert) for alert in alerts if alert["state"] == "firing"]
