"""What deploy/ ships: the unit file, the manifests and their configuration, the root file system of
the container, and the dashboard and alerts, whose expressions a real Prometheus evaluates on real
scrapes. The manifests also go to a real Kubernetes, in tests/kubernetes/run."""

import ipaddress
import itertools
import json
import os
import re
import shutil
import subprocess
import tomllib
import urllib.parse
import urllib.request

import pytest
import yaml

from processes import TOP, Process, free_port, program, wait_until

DEPLOY = TOP / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/posthaste.json").read_text())
MANIFESTS = {
    (document["kind"], document["metadata"]["name"]): document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
}
POD = MANIFESTS["StatefulSet", "posthaste"]["spec"]["template"]["spec"]
CONFIGURATION = MANIFESTS["ConfigMap", "posthaste"]["data"]["posthaste.toml"]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


# systemd ---------------------------------------------------------------------------------------


def test_the_unit_is_valid_and_hardened(tmp_path):
    unit = (DEPLOY / "systemd/posthaste.service").read_text()
    (tmp_path / "posthaste.service").write_text(unit.replace("/usr/bin/posthaste", "/bin/true"))
    assert run("systemd-analyze", "verify", "--man=no", tmp_path / "posthaste.service") == ""
    run("systemd-analyze", "security", "--offline=true", "--threshold=20",
        tmp_path / "posthaste.service")


def test_the_unit_allows_io_uring():
    allowed = set(run("systemd-analyze", "syscall-filter", "@aio").split())
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"} <= allowed
    assert "@aio" in run("systemd-analyze", "syscall-filter", "@system-service")
    unit = (DEPLOY / "systemd/posthaste.service").read_text()
    filters = re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE)
    assert filters[0] == "@system-service"
    denied = set(" ".join(filters[1:]).replace("~", "").split())
    assert denied and "@aio" not in denied


def test_systemctl_reload_checks_and_then_reloads(make_relay, make_sink):
    """The unit's ExecReload lines, as systemd runs them: each must end with 0."""
    relay = make_relay({"*": make_sink().port})
    unit = (DEPLOY / "systemd/posthaste.service").read_text()
    lines = re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE)
    assert len(lines) == 2 and " check " in lines[0] and "-HUP" in lines[1]
    commands = [line.replace("/usr/bin/posthaste", str(program("posthaste")))
                .replace("/etc/posthaste/posthaste.toml", str(relay.config_file))
                .replace("$MAINPID", str(relay.process.pid)).split() for line in lines]
    for command in commands:
        run(*command)
    relay.process.wait_for_output("reloaded", 10)


def test_the_unit_waits_for_the_drain_that_is_promised():
    promised = int(re.search(r"SIGTERM \(or SIGINT\) drains, for (\d+) seconds at most",
                             (TOP / "docs/operating.md").read_text()).group(1))
    unit = (DEPLOY / "systemd/posthaste.service").read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE).group(1)) >= promised + 20
    assert re.search(r"^KillSignal=SIGTERM$", unit, re.MULTILINE)
    assert re.search(r"^KillMode=mixed$", unit, re.MULTILINE)
    stop = POD["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] >= promised + stop + 20


# Container -------------------------------------------------------------------------------------


def test_the_seccomp_profile_allows_io_uring_and_refuses_the_unknown():
    profile = json.loads((DEPLOY / "container/seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = set(itertools.chain.from_iterable(
        group["names"] for group in profile["syscalls"]
        if group["action"] == "SCMP_ACT_ALLOW" and not group.get("args")))
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"} <= allowed
    assert {"accept4", "connect", "eventfd2", "futex", "openat", "execve"} <= allowed
    assert not {"mount", "bpf", "init_module", "kexec_load", "setns", "unshare"} & allowed


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_the_program_runs_in_the_root_file_system_of_the_image(tmp_path):
    root = tmp_path / "root"
    run(DEPLOY / "container/rootfs", root, program("posthaste"))
    assert not (root / "usr/bin/sh").exists()
    (root / "etc/posthaste/posthaste.toml").write_text(CONFIGURATION)
    serve, *arguments = POD["containers"][0]["args"]
    assert serve == "serve"
    run("chroot", "--userspec=65532:65532", root, "/usr/bin/posthaste", "check", *arguments)


def test_the_containers_configuration_can_be_reached_through_published_ports(tmp_path):
    text = (DEPLOY / "container/posthaste.toml").read_text()
    config = tomllib.loads(text)
    addresses = [address for one in config["listener"] for address in one["address"]]
    assert all(address.startswith("0.0.0.0:") for address in addresses)
    ports = {address.rpartition(":")[2] for address in addresses}
    head = (DEPLOY / "container/Containerfile").read_text()
    assert ports == set(re.search(r"^EXPOSE (.*)$", head, re.MULTILINE).group(1).split())
    assert ports == set(re.findall(r"--publish 127\.0\.0\.1:\d+:(\d+)", head))
    assert "./deploy/container/posthaste.toml:/etc/posthaste/posthaste.toml" in head
    for one in config["listener"]:  # the bridges of Docker and Podman
        allowed = [ipaddress.ip_network(network) for network in one["allow"]]
        for peer in ("172.17.0.1", "10.88.0.1"):
            assert any(ipaddress.ip_address(peer) in network for network in allowed)
    (tmp_path / "posthaste.toml").write_text(
        text.replace("/var/lib/posthaste", str(tmp_path / "data")))
    run(program("posthaste"), "check", "--config", tmp_path / "posthaste.toml")


def test_rootfs_refuses_a_folder_that_is_in_use(tmp_path):
    (tmp_path / "root/etc").mkdir(parents=True)
    done = subprocess.run([DEPLOY / "container/rootfs", tmp_path / "root", "/bin/true"],
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "not empty" in done.stderr


# Kubernetes ------------------------------------------------------------------------------------


def test_the_configuration_of_the_manifests_is_valid(tmp_path):
    config = tmp_path / "posthaste.toml"
    config.write_text(CONFIGURATION.replace("/var/lib/posthaste", str(tmp_path / "data")))
    run(program("posthaste"), "check", "--config", config)


def test_the_pod_is_restricted():
    security = POD["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] > 0 and security["runAsGroup"] > 0
    assert security["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
    assert POD["automountServiceAccountToken"] is False
    for container in POD["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False,
                                                "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}}
    namespace = MANIFESTS["Namespace", "posthaste"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


def test_ports_names_and_labels_of_the_manifests_agree():
    container = POD["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listening = set(map(int, re.findall(r'address = \["0\.0\.0\.0:(\d+)"\]', CONFIGURATION)))
    assert set(ports.values()) == listening
    labels = MANIFESTS["StatefulSet", "posthaste"]["spec"]["template"]["metadata"]["labels"]
    for kind, name in (("Service", "posthaste"), ("Service", "posthaste-pods")):
        service = MANIFESTS[kind, name]["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["ports"]} <= set(ports)
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                        ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts["/var/lib/posthaste"] == "data" and mounts["/etc/posthaste"] == "config"
    version = re.search(r"project\(posthaste VERSION (\S+)",
                        (TOP / "CMakeLists.txt").read_text()).group(1)
    assert container["image"].endswith(f"posthaste:{version}")


# Prometheus and Grafana ------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["prometheus.yml", "kubernetes.yml"])
def test_prometheus_takes_the_scrape_configuration(config):
    run("promtool", "check", "config", DEPLOY / "prometheus" / config)


def test_each_alert_fires_when_it_should_and_not_else():
    rules = yaml.safe_load((DEPLOY / "prometheus/posthaste.rules.yml").read_text())
    tests = yaml.safe_load((DEPLOY / "prometheus/posthaste.rules.test.yml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    tested = {case["alertname"] for test in tests["tests"] for case in test["alert_rule_test"]
              if case["exp_alerts"]}
    assert names == tested
    run("promtool", "test", "rules", DEPLOY / "prometheus/posthaste.rules.test.yml")


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_dashboard_follows_the_conventions():
    assert DASHBOARD["uid"] == "posthaste" and DASHBOARD["id"] is None
    assert DASHBOARD["schemaVersion"] >= 36
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["datasource"] == source and panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == source
            assert 'job=~"$job"' in target["expr"], panel["title"]
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= set(variables)
            assert not re.search(r"\[\d", target["expr"]), "a fixed range hides data when zoomed"


def test_the_dashboard_shows_spool_and_tls_and_is_red_without_relays():
    rows = {panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"}
    assert {"Spool", "TLS to receivers"} <= rows
    read = set().union(*(metric_names(target["expr"]) for panel in panels()
                         for target in panel["targets"]))
    assert {"posthaste_spool_bytes", "posthaste_spool_free_bytes", "posthaste_spool_state",
            "posthaste_commit_seconds_bucket", "posthaste_tls_sessions_total"} <= read
    up = next(panel for panel in panels() if panel["title"] == "Relays up")
    steps = up["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["color"], step["value"]) for step in steps] == [("red", None), ("green", 1)]
    assert "or vector(0)" in up["targets"][0]["expr"]  # without any relay there is no series


def test_no_two_panels_of_the_dashboard_overlap():
    taken = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for spot in itertools.product(range(place["x"], place["x"] + place["w"]),
                                      range(place["y"], place["y"] + place["h"])):
            assert 0 <= spot[0] < 24
            assert taken.setdefault(spot, panel["title"]) == panel["title"], spot


def test_cases_of_the_alerts_use_series_that_the_relay_has():
    """A case with a series or a label that no relay exports would show nothing."""
    known = {name: set(labels.split(",")) if labels else set() for name, labels in re.findall(
        r"^\| `(\w+)(?:\{([\w,]+)\})?` \|", (TOP / "docs/metrics.md").read_text(), re.MULTILINE)}
    known["up"] = set()
    tests = yaml.safe_load((DEPLOY / "prometheus/posthaste.rules.test.yml").read_text())["tests"]
    for series in (one["series"] for test in tests for one in test["input_series"]):
        name, labels = re.fullmatch(r"(\w+)\{(.*)\}", series).groups()
        assert name in known, series
        used = set(re.findall(r"(\w+)=", labels)) - {"job", "instance"}
        assert used <= known[name], series


class Prometheus:
    """A Prometheus with our configuration: other targets, and a scrape every second."""

    def __init__(self, folder, target):
        shutil.copytree(DEPLOY / "prometheus", folder)
        config = yaml.safe_load((folder / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        self.process = Process(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
            folder / "prometheus.log")
        self.process.wait_for_output("Server is ready", 60)

    def ask(self, path, **parameters):
        """The `data` of an answer of its API; raises on an error."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}",
                                    timeout=20) as reply:
            answer = json.load(reply)
        assert answer["status"] == "success" and not answer.get("warnings"), answer
        return answer["data"]

    def value(self, expression):
        result = self.ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None


def dashboard_expressions():
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]


def alert_expressions():
    rules = yaml.safe_load((DEPLOY / "prometheus/posthaste.rules.yml").read_text())
    for rule in itertools.chain.from_iterable(group["rules"] for group in rules["groups"]):
        yield rule.get("alert") or rule["record"], rule["expr"]


def metric_names(expression):
    """Names of the metrics that an expression reads: words before { in a selector, and results of
    recording rules."""
    return set(re.findall(r"[a-zA-Z_:][\w:]*(?=\s*\{)|\binstance:\w+:sum\b", expression))


def exported_names(scrape):
    names = {"up"}  # Prometheus' own
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


def fill(expression):
    for name, value in (("__rate_interval", "10s"), ("job", ".*"), ("instance", ".*"),
                        ("provider", ".*")):
        expression = expression.replace(f"${name}", value)
    return expression


def test_dashboard_and_alerts_on_real_scrapes(make_relay, make_sink, tmp_path):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{relay.http_port}")
    try:
        wait_until(lambda: prometheus.value("min(up)") == 1, 20, "Prometheus scrapes the relay")
        for number in range(40):
            relay.inject(b"Subject: hello\r\n\r\nhello\r\n", f"reader{number}@receiver.test")
        sink.wait_for(40)
        wait_until(lambda: prometheus.value(
            'sum(posthaste_deliveries_total{outcome="delivered"})') == 40, 20,
            "the 40 deliveries are scraped")
        wait_until(lambda: prometheus.value("min(count_over_time(up[1m]))") >= 4, 20, "4 scrapes")

        status, scrape = relay.get("/metrics")
        assert status == 200
        exported = exported_names(scrape) | {name for name, _ in alert_expressions()}
        for title, expression in itertools.chain(dashboard_expressions(), alert_expressions()):
            assert metric_names(expression), f"{title}: reads no metric: {expression}"
            unknown = metric_names(expression) - exported
            assert not unknown, f"{title}: the relay exports no {unknown}"
        for title, expression in dashboard_expressions():
            result = prometheus.ask("query", query=fill(expression))["result"]
            assert result or title == "Restarts", f"{title}: nothing from {fill(expression)}"
        check_variables(prometheus)
        check_alerts(prometheus)
    finally:
        prometheus.process.kill()


def check_variables(prometheus):
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] != "query":
            continue
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                     variable["definition"]).groups()
        values = prometheus.ask(f"label/{label}/values", **{"match[]": fill(series)})
        assert values, variable["name"]


def check_alerts(prometheus):
    groups = prometheus.ask("rules")["groups"]
    rules = list(itertools.chain.from_iterable(group["rules"] for group in groups))
    assert len(rules) == len(list(alert_expressions()))
    for rule in rules:
        assert rule["health"] == "ok", rule
        if rule["type"] == "alerting":
            assert rule["state"] == "inactive", f"{rule['name']} fires for a relay that is well"
