"""A scenario: how much mail, how it is injected, what the sink is like. One run of one relay."""

import dataclasses
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import time

from rig.relays import RELAYS, free_port, greets, wait_until

WARM_UP = 200  # messages sent and forgotten before measuring
BESIDE_CONTENT = 1024  # octets of a batch of one message: heads, envelope, Received
PATIENCE = 120  # seconds for what was accepted to arrive


@dataclasses.dataclass
class Scenario:
    what: str
    messages: dict          # by relay
    source: tuple = ()      # options of smtp_source or http_source
    sink: tuple = ()        # options of smtp_sink
    connections: int = 10   # of the relay to the sink
    batch: int = 1          # recipients per request
    http: bool = False
    tls: bool = False       # the sink offers STARTTLS
    one_connection: bool = False  # rate between the first and the last arrival at the sink
    sessions: int = 0       # of the source; 0: as the options say
    probe_disk: bool = False  # time synced writes beside the measurement
    warm_up: int = WARM_UP

    def messages_for(self, relay_name):
        """Another build or backend gets as many as this one; None: not measured."""
        as_now = {"bare-committed": "committed", "before": "posthaste", "committed-before": "committed",
                  "one-shard": "posthaste", "committed-one-shard": "committed",
                  "epoll": "posthaste", "committed-epoll": "committed"}
        return self.messages.get(as_now.get(relay_name, relay_name))

    def fits(self, relay):
        return self.messages_for(relay.name) is not None


SCENARIOS = {
    "lockstep": Scenario("each command waits for its reply",
                         {"bare": 100_000, "posthaste": 100_000, "committed": 100_000,
                          "postfix": 6_000}),
    "pipelined": Scenario("[content . MAIL RCPT DATA] in one write",
                          {"bare": 150_000, "posthaste": 150_000, "committed": 150_000,
                           "postfix": 6_000},
                          source=("--pipeline-next",)),
    "http": Scenario("POST /api/inject/v1, 100 recipients a request, each in a domain of its own, so "
                     "each is a transaction and counts as a message",
                     {"posthaste": 150_000, "committed": 150_000},
                     source=("--mixed-domains", "--domains", "1000"), batch=100, http=True),
    "tls": Scenario("lockstep, delivered over STARTTLS (TLS 1.3), connections reused",
                    {"posthaste": 100_000}, tls=True),
    "tls-pipelined": Scenario("pipelined, delivered over STARTTLS, connections reused",
                              {"posthaste": 150_000}, source=("--pipeline-next",), tls=True),
    "lone": Scenario("one session, each command waits for its reply; p50 is from MAIL to the last reply",
                     {"posthaste": 10_000, "committed": 10_000}, sessions=1, probe_disk=True),
    "rtt50-data": Scenario("one connection to a sink 50 ms away, by DATA",
                           {"posthaste": 200, "postfix": 80}, source=("--pipeline",),
                           sink=("--rtt", "50ms", "--no-chunking"), connections=1,
                           one_connection=True, warm_up=0),
    "rtt50-bdat": Scenario("one connection to a sink 50 ms away, CHUNKING offered",
                           {"posthaste": 200, "postfix": 80}, source=("--pipeline",),
                           sink=("--rtt", "50ms"), connections=1, one_connection=True, warm_up=0),
}


def certificate_options(folder):
    """Options that make smtp_sink offer STARTTLS, with a certificate made once."""
    certificate, key = pathlib.Path(folder) / "sink.pem", pathlib.Path(folder) / "sink.key"
    if not key.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "30", "-subj", "/CN=sink.example",
                        "-addext", "subjectAltName=DNS:sink.example"],
                       check=True, capture_output=True)
    return "--tls-cert", str(certificate), "--tls-key", str(key)


class Sink:
    def __init__(self, programs, folder, extra, port=0):
        self.port = port or free_port()
        self.stats_file = pathlib.Path(folder) / "sink.json"
        self.stats_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [programs / "smtp_sink", "--listen", f"127.0.0.1:{self.port}", "--stats-file",
             self.stats_file, *extra], stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        if b"ready" not in line:
            raise RuntimeError(f"smtp_sink did not start: {line.decode()}")

    def stats(self):
        self.stats_file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(self.stats_file.exists, 30, "the sink's counters")
        return json.loads(self.stats_file.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.process.stderr.close()


def source_command(scenario, relay, programs, messages, options):
    common = ["--sessions", scenario.sessions or options.sessions, "--size", options.size]
    if scenario.http:
        command = [programs / "http_source", "--to", f"127.0.0.1:{relay.http_port}", "--messages",
                   max(messages // scenario.batch, 1), "--recipients-per-message", scenario.batch,
                   *scenario.source]
    else:
        command = [programs / "smtp_source", "--to", f"127.0.0.1:{relay.port}", "--messages",
                   messages, *scenario.source]
    return [str(part) for part in command + common]


def inject(command, timeout=600):
    """Runs a source; its summary, and what it used of the CPU."""
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    after = os.times()
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    summary = json.loads(done.stdout)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return summary, used


def wait_for_arrival(sink, wanted):
    """Until so many recipients arrived; fails when nothing more comes, or more than was sent."""
    last, since = -1, time.monotonic()
    while True:
        arrived = sink.stats()["recipients"]
        if arrived >= wanted:
            return
        if arrived != last:
            last, since = arrived, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            raise RuntimeError(f"{arrived} of {wanted} recipients arrived, then nothing")
        time.sleep(0.1)


def run_scenario(name, relay_name, programs, folder, options):
    scenario = SCENARIOS[name]
    scale = min(options.scale, 1) if scenario.one_connection else options.scale
    messages = max(int(scenario.messages_for(relay_name) * scale), 40)
    messages -= messages % scenario.batch
    offers_tls = certificate_options(folder) if scenario.tls else ()
    sink = Sink(programs, folder, (*scenario.sink, *offers_tls))
    try:
        relay = RELAYS[relay_name](folder, programs, sink.port, scenario.connections, options)
        try:
            relay.start()
            return measure(scenario, relay, sink, messages, programs, options)
        finally:
            relay.stop()
    finally:
        sink.stop()


def warm_up(scenario, relay, sink, programs, options):
    """Sends and forgets; how many."""
    count = scenario.warm_up - scenario.warm_up % scenario.batch
    if count:
        inject(source_command(scenario, relay, programs, count, options))
    filling = relay.warm_up_messages(options.size) if scenario.warm_up else 0
    if filling:
        inject([str(part) for part in (
            programs / "smtp_source", "--to", f"127.0.0.1:{relay.port}", "--messages", filling,
            "--sessions", 20, "--size", options.size, "--pipeline-next")])
    if count + filling:
        wait_for_arrival(sink, count + filling)
    return count + filling


def synced_write(relay, programs, options):
    """Microseconds of one synced write, as large as the batch of one message, beside the spool."""
    size = options.size + BESIDE_CONTENT
    done = subprocess.run([programs / "sync_probe", "--directory", relay.folder, "--size", str(size)],
                          capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def commits(counts, messages):
    """What the spool did for these messages, from the differences of its counters."""
    batches = counts.get("spool_batches_total", 0)
    if not batches:
        return {}
    bounds = sorted((float(re.search(r'le="([^"]+)"', key).group(1)), count)
                    for key, count in counts.items() if key.startswith("commit_seconds_bucket"))
    return {
        "batches": int(batches),
        "messages_per_batch": round(messages / batches, 2),
        "octets_per_sync": round(counts["spool_written_bytes_total"] / batches),
        "written_per_message": round(counts["spool_written_bytes_total"] / messages),
        "commit_p50_us": quantile(bounds, 0.5),
        "commit_p99_us": quantile(bounds, 0.99),
    }


def quantile(bounds, wanted):
    """Microseconds, between the bounds of the bucket that holds it, as Prometheus does it."""
    total = bounds[-1][1] if bounds else 0
    if not total:
        return None
    below, passed = 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted * total:
            if math.isinf(bound):
                return round(below * 1e6, 1)
            share = (wanted * total - passed) / (count - passed) if count > passed else 1
            return round((below + (bound - below) * share) * 1e6, 1)
        below, passed = bound, count
    return None


def measure(scenario, relay, sink, messages, programs, options):
    sent_before = warm_up(scenario, relay, sink, programs, options)
    probes = [synced_write(relay, programs, options)] if scenario.probe_disk else []
    before = sink.stats()
    counts = relay.counters()
    switches = relay.meter.context_switches()
    cpu = relay.meter.cpu_seconds()
    began = time.monotonic_ns()
    command = source_command(scenario, relay, programs, messages, options)
    summary, source_cpu = inject(command)
    wait_for_arrival(sink, sent_before + messages)
    time.sleep(0.3)  # what the relay does after the last reply is its work too
    cpu = relay.meter.cpu_seconds() - cpu
    switches = relay.meter.context_switches() - switches
    counts = {key: value - counts.get(key, 0) for key, value in relay.counters().items()}
    after = sink.stats()
    arrived = after["recipients"] - before["recipients"]
    if scenario.tls and relay.counters().get("tls_sessions_total", 0) < 1:
        raise RuntimeError("nothing was encrypted")
    if arrived != messages or after["violations"]:
        raise RuntimeError(f"sent {messages}, arrived {arrived}, "
                           f"{after['violations']} violations of the protocol")
    seconds = (after["last_accept_ns"] - began) / 1e9
    rate = messages / seconds
    if scenario.one_connection:
        rate = (messages - 1) / after["seconds"] if after["seconds"] else 0
    result = {
        "messages": messages,
        "seconds": round(seconds, 3),
        "rate": round(rate, 2),
        "injection_rate": round(summary["accepted_recipients"] / summary["seconds"], 1),
        "cpu_us": round(cpu / messages * 1e6, 2),
        "cpu_method": relay.meter.method,
        "switches": round(switches / messages, 3),
        "memory_mib": round(relay.meter.memory_peak() / 2**20, 1),
        "latency_ms": summary["latency_ms"],
        "source_cpu_us": round(source_cpu / messages * 1e6, 2),
        "sink_writes": round((after["writes"] - before["writes"]) / messages, 3),
        "connections": after["connections"] - before["connections"],
        "by_bdat": after["by_bdat"] - before["by_bdat"],
        "source": " ".join([pathlib.Path(command[0]).name, *command[1:]]),
        "sink": " ".join(["smtp_sink", *scenario.sink]),
    }
    result.update(commits(counts, messages))
    if scenario.probe_disk:
        probes.append(synced_write(relay, programs, options))
        result["synced_write"] = probes
        result["synced_write_us"] = round(sum(probe["p50_us"] for probe in probes) / len(probes), 1)
    for metric, key in (("io_enters_total", "enters"), ("io_sends_total", "sends"),
                        ("io_receives_total", "receives"), ("shard_letters_total", "letters")):
        if metric in counts:
            result[key] = round(counts[metric] / messages, 3)
    return result
