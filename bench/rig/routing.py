"""What routing costs: a dead host among two, and many domains with answers of their own.

A real name server (NSD) on loopback answers; all hosts are addresses of this machine. The dead host
is a socket whose queue of connections is full: what comes is dropped, as by a firewall, and the
relay waits for its connect timeout (30 s).
"""

import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import time

from rig.relays import Posthaste, free_port, wait_until
from rig.report import target
from rig.scenario import Sink, inject, wait_for_arrival

DEAD, ALIVE = "127.0.0.2", "127.0.0.1"
WARM_UP = 200
TURNS = 25         # of a thousand messages each, in turn
DOMAIN_TURNS = 5
DETECTION = 90     # seconds at most until a connection to the dead host has timed out
A_DOMAIN = 10      # messages of a domain


class NameServer:
    """NSD with one zone: bench.test."""

    def __init__(self, folder, records):
        folder.mkdir(parents=True)
        self.port = free_port()
        (folder / "zone").write_text("$ORIGIN bench.test.\n$TTL 3600\n@ SOA ns root 1 3600 600 86400 300\n"
                                     "@ NS ns\nns A 127.0.0.1\n" + "\n".join(records) + "\n")
        (folder / "nsd.conf").write_text(f"""server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/pid"
    xfrdfile: "{folder}/xfrd"
    zonelistfile: "{folder}/zonelist"
    server-count: 1
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "bench.test"
    zonefile: "zone"
""")
        program = shutil.which("nsd", path="/usr/sbin:/usr/bin:/bin")
        if program is None:
            raise RuntimeError("there is no nsd on this machine (Debian package nsd)")
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([program, "-d", "-c", folder / "nsd.conf"], stdout=self.log,
                                        stderr=self.log)
        wait_until(self.answers, 60, f"nsd answers, see {folder}/log")

    def answers(self):
        question = (b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\5bench\4test\0" + b"\0\6\0\1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(("127.0.0.1", self.port))
                probe.send(question)
                return probe.recv(4096)[3] & 15 == 0
            except OSError:
                return False

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()


class ByMx(Posthaste):
    """Sends where MX records say."""

    name = "by-mx"

    def __init__(self, folder, programs, options, servers, port, deliveries):
        self.servers, self.mx_port, self.deliveries = servers, port, deliveries
        super().__init__(folder, programs, port, 10, options)

    def destination_keys(self):
        return f"""
[dns]
servers = ["127.0.0.1:{self.servers.port}"]

[delivery]
port = {self.mx_port}
prohibited_hosts = []

[shaping]
default = {{ connection_limit = 10, max_deliveries_per_connection = {self.deliveries}, \
max_message_rate = "1000000/s", max_connection_rate = "1000000/s" }}
"""


class BlackHole:
    """Listens, and takes nobody: the queue of connections is full."""

    def __init__(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((DEAD, port))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((DEAD, port))
            self.fillers.append(filler)
        time.sleep(0.2)
        with socket.socket() as probe:
            probe.settimeout(1.5)
            try:
                probe.connect((DEAD, port))
            except TimeoutError:
                return
        raise RuntimeError("the dead host is not dead: it takes connections")

    def stop(self):
        for one in (*self.fillers, self.listener):
            one.close()


def source(relay, programs, messages, options, domains=1):
    return [str(part) for part in (
        programs / "smtp_source", "--to", f"127.0.0.1:{relay.port}", "--messages", messages,
        "--sessions", options.sessions, "--size", options.size, "--pipeline-next",
        "--domains", domains, "--domain-suffix", "bench.test")]


# ---- a dead host among two

def timeouts(relay):
    return sum(value for series, value in relay.metrics().items()
               if series.startswith("posthaste_connections_total") and '"timeout"' in series)


def dead_mx(folder, programs, options, messages, say):
    """The same relay, twice: both hosts alive, and one of them dead; after it was found out."""
    folder.mkdir()
    sink = Sink(programs, folder, ())
    hole = BlackHole(sink.port)
    setups = {}
    try:
        for name, first in (("alive", ALIVE), ("dead", DEAD)):
            servers = NameServer(folder / f"dns-{name}", [
                "d0 MX 10 mx1", "d0 MX 10 mx2", f"mx1 A {first}", f"mx2 A {ALIVE}"])
            relay = ByMx(folder / name, programs, options, servers, sink.port, 100)
            setups[name] = (servers, relay)
            relay.start()
        arrived = 0
        for name, (_, relay) in setups.items():
            began = time.monotonic()
            inject(source(relay, programs, WARM_UP, options))
            arrived += WARM_UP
            wait_for_arrival(sink, arrived)
            say(f"dead-mx: {name}: first {WARM_UP} messages after {time.monotonic() - began:.1f} s")
        wait_until(lambda: timeouts(setups["dead"][1]) >= 1, DETECTION, "the dead host is found out")
        rates = {name: [] for name in setups}
        for _ in range(TURNS):
            for name, (_, relay) in setups.items():
                began = time.monotonic_ns()
                inject(source(relay, programs, messages, options))
                arrived += messages
                wait_for_arrival(sink, arrived)
                rates[name].append(messages * 1e9 / (sink.stats()["last_accept_ns"] - began))
    finally:
        for servers, relay in setups.values():
            relay.stop()
            servers.stop()
        hole.stop()
        sink.stop()
    alive, dead = (statistics.median(rates[name]) for name in ("alive", "dead"))
    return {
        "name": "dead-mx",
        "what": f"two hosts of equal preference, one a black hole that was found out; {TURNS} times "
                f"{messages:,} messages, in turn with both alive; medians",
        "rows": [("messages/s, both alive", f"{alive:,.0f}"), ("messages/s, one dead", f"{dead:,.0f}"),
                 ("ratio", f"{dead / alive:.3f}")],
        "rates": rates,
        "targets": [target("rate with a dead host among two ÷ both alive", dead / alive, 0.95)],
    }


# ---- many domains

def zone(domains):
    """Each domain has a host of its own; e-domains have answers of their own and share two hosts."""
    for i in range(domains):
        yield f"d{i} MX 10 mx{i}\nmx{i} A {ALIVE}"


def shared_zone(domains):
    yield f"a.hosts A {ALIVE}\nb.hosts A {ALIVE}"
    for i in range(domains):
        yield f"d{i} MX {i} a.hosts\nd{i} MX {i + 1} b.hosts"


def one_of_many_domains(folder, programs, options, records, count, messages):
    servers = NameServer(folder / "dns", records)
    sink = Sink(programs, folder, ())
    relay = ByMx(folder / "relay", programs, options, servers, sink.port, 1_000_000)
    try:
        relay.start()
        inject(source(relay, programs, WARM_UP, options))
        wait_for_arrival(sink, WARM_UP)
        cpu, began = relay.meter.cpu_seconds(), time.monotonic()
        inject(source(relay, programs, messages, options, count))
        wait_for_arrival(sink, WARM_UP + messages)
        rate = messages / (time.monotonic() - began)
        time.sleep(0.3)
        cpu = relay.meter.cpu_seconds() - cpu
        return {"cpu_us": cpu / messages * 1e6, "connections": sink.stats()["connections"],
                "rate": rate, "lookups": relay.counters().get("dns_lookups_total", 0)}
    finally:
        relay.stop()
        sink.stop()
        servers.stop()


def many_domains(folder, programs, options, domains, say):
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the sink's connections
    messages = domains * A_DOMAIN
    kinds = {"one": ("one domain", zone, 1),
             "shared": (f"{domains:,} domains, answers of their own, two hosts", shared_zone, domains),
             "own": (f"{domains:,} domains, each with a host of its own", zone, domains)}
    costs = {name: [] for name in kinds}
    for turn in range(DOMAIN_TURNS):
        for name, (_, records, count) in kinds.items():
            once = folder / f"{name}-{turn}"
            once.mkdir()
            costs[name].append(one_of_many_domains(once, programs, options, records(count), count,
                                                   messages))
            say(f"domains: {name}: {json.dumps(costs[name][-1])}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    cpu = {name: sorted(turn["cpu_us"] for turn in turns) for name, turns in costs.items()}
    median = {name: statistics.median(values) for name, values in cpu.items()}
    rows = [(f"CPU µs a message, {what}",
             f"{median[name]:.1f} ({cpu[name][0]:.1f} to {cpu[name][-1]:.1f}; "
             f"{costs[name][-1]['connections']:,} connections)")
            for name, (what, _, _) in kinds.items()]
    return {
        "name": "domains",
        "what": f"{messages:,} messages, {A_DOMAIN} a domain, MX records from NSD on loopback; "
                f"{os.cpu_count()} CPUs shared with source, sink and name server; medians of "
                f"{DOMAIN_TURNS} turns",
        "rows": rows,
        "costs": costs,
        "targets": [
            target("CPU, answers of their own and shared hosts ÷ one domain",
                   median["shared"] / median["one"], 1.25, True),
            target("CPU, hosts of their own ÷ one domain", median["own"] / median["one"], 1.25, True),
        ],
    }
