"""The relays that are compared. Each takes SMTP on self.port and sends everything to one sink."""

import itertools
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import time
import urllib.request

from rig.meter import Meter

TOP = pathlib.Path(__file__).resolve().parents[2]
NUMBERS = itertools.count(1)  # of the relays of this run
SEGMENT = 64 << 20  # octets of a segment of the spool, by default


def free_port():
    """Below the range that the kernel takes for outgoing connections."""
    for _ in range(200):
        port = random.randint(20000, 29999)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            greeting = probe.recv(3) == b"220"
            probe.sendall(b"QUIT\r\n")
            probe.recv(4096)
            return greeting
    except OSError:
        return False


class Relay:
    name = ""
    speaks_http = False

    def __init__(self, folder, programs, sink_port, connections, options):
        self.folder = pathlib.Path(folder) / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.programs, self.sink_port = programs, sink_port
        self.connections, self.options = connections, options
        self.port = free_port()
        self.meter = Meter(f"{self.name}-{next(NUMBERS)}")
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, preexec_fn=self.meter.enter)
        self.meter.leader = self.process.pid
        wait_until(lambda: greets(self.port) or self.process.poll() is not None, 30,
                   f"{self.name} greets on {self.port}, see {self.folder}/log")
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {(self.folder / 'log').read_text()[-2000:]}")
        return self

    def counters(self):
        """The relay's own counts of its work, if it has any."""
        return {}

    def warm_up_messages(self, size):
        """How many messages of that size must pass before it works as it will go on working: the
        first segments of a spool are new files, later ones are filled and used again."""
        return 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                pass
        self.meter.end_all()
        if self.process:
            self.process.wait()


class Bare(Relay):
    """bench/load/bare_relay.cc: what the machine can do."""

    name = "bare"

    def command(self):
        return [self.programs / "bare_relay", str(self.port), str(self.sink_port),
                str(self.connections)]


class BareCommitted(Bare):
    """The same, which answers 250 once a message is synced to one file: what the disk costs."""

    name = "bare-committed"

    def command(self):
        return [*super().command(), self.folder / "log-file"]


class Posthaste(Relay):
    """With the durability that the options say. limit and retry: keys of the configuration."""

    name = "posthaste"
    speaks_http = True
    memory_limit = None  # octets
    retry = None         # intervals
    data_is_new = True   # False: a restart with what is there
    io_backend = "auto"

    @property
    def durability(self):
        return self.options.durability

    @property
    def shards(self):
        return self.options.shards

    @property
    def data(self):
        return self.folder / "data"

    def command(self):
        self.port, self.http_port = free_port(), free_port()
        if self.data_is_new:
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir()
        config = self.folder / "posthaste.toml"
        config.write_text(f"""
[node]
hostname = "relay.example"
io_backend = "{self.io_backend}"
shards = {self.shards}
data_dir = {json.dumps(str(self.data))}

[spool]
durability = "{self.durability}"

[[listener]]
name = "smtp"
protocol = "smtp"
address = ["127.0.0.1:{self.port}"]

[[listener]]
name = "http"
protocol = "http"
address = ["127.0.0.1:{self.http_port}"]
serve = ["inject", "metrics"]

{self.destination_keys()}
{self.further_keys()}""")
        return [self.programs / "posthaste", "serve", "--config", str(config)]

    def destination_keys(self):
        return f"""
[[route]]
domain = "*"
hosts = ["127.0.0.1:{self.sink_port}"]

[shaping]
default = {{ connection_limit = {self.connections}, max_deliveries_per_connection = 1000000, \
max_message_rate = "1000000/s", max_connection_rate = "1000000/s" }}
"""

    def further_keys(self):
        text = ""
        if self.memory_limit:
            text += f'\n[memory]\nlimit = "{self.memory_limit}B"\n'
        if self.retry:
            text += f"\n[retry]\nintervals = {json.dumps(list(self.retry))}\n"
        return text

    def warm_up_messages(self, size):
        shards = self.shards or len(os.sched_getaffinity(0))
        return 2 * shards * SEGMENT // size if self.durability == "commit" else 0

    def metrics(self):
        """The page as it is: {"name{labels}": value}."""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            page = answer.read().decode()
        return {name: float(value) for name, value in
                re.findall(r"^(\w+(?:\{[^}]*\})?) ([-+0-9.e]+|[-+]?Inf|NaN)$", page, re.MULTILINE)}

    def counters(self):
        """posthaste_*_total of /metrics, summed over shards, and the buckets of the commits."""
        counts = {}
        for series, value in self.metrics().items():
            name, _, labels = series.removeprefix("posthaste_").partition("{")
            if name.endswith("_total") and series.startswith("posthaste_"):
                counts[name] = counts.get(name, 0) + value
            elif name == "commit_seconds_bucket":
                counts[f"{name}{{{labels}"] = value
        return counts

    def resident(self):
        """Octets of the process now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:  # a process that ended and was not waited for
            raise RuntimeError(f"{self.name} ended: {(self.folder / 'log').read_text()[-2000:]}")
        return int(found.group(1)) * 1024

    def kill(self):
        """As a crash would: nothing is drained, nothing is written."""
        self.process.kill()
        self.process.wait()


class Committed(Posthaste):
    """Posthaste with durability "commit", beside the one in memory."""

    name = "committed"
    durability = "commit"


class OneShard(Posthaste):
    """What a second shard costs is told by the one that has none."""

    name = "one-shard"
    shards = 1


class CommittedOneShard(OneShard):
    """The same with durability "commit"."""

    name = "committed-one-shard"
    durability = "commit"


class Epoll(Posthaste):
    """As where io_uring is refused."""

    name = "epoll"
    io_backend = "epoll"


class CommittedEpoll(Epoll):
    """The same with durability "commit"."""

    name = "committed-epoll"
    durability = "commit"


class Before(Posthaste):
    """Another build of posthaste (--before), beside this one: what a change costs."""

    name = "before"

    def command(self):
        _, *arguments = super().command()
        return [self.options.before / "bin/posthaste", *arguments]


class CommittedBefore(Before):
    """The same with durability "commit"."""

    name = "committed-before"
    durability = "commit"


class Postfix(Relay):
    """Debian's Postfix in a root of its own, tuned: many processes, cached connections, no DNS, no
    flow control, no client limits. It syncs each message, as it always does."""

    name = "postfix"

    def command(self):
        source = TOP / "build/peers/postfix"
        root = self.folder / "root"
        if not (source / ".complete").exists():
            subprocess.run([TOP / "tests/system/peers/install", "postfix"], check=True)
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-al", source, root], check=True)  # links: files are replaced
        for folder in ("etc/postfix", "var/spool", "var/lib/postfix", "var/log"):
            shutil.rmtree(root / folder, ignore_errors=True)
        self._users(root)
        self._spool(root)
        self._config(root)
        self.log = root / "var/log/postfix.log"
        return ["chroot", str(root), "/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"]

    @staticmethod
    def _write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)

    def _users(self, root):
        users = {"root": 0, "daemon": 1, "nobody": 65534, "postfix": 1601}
        self._write(root / "etc/passwd",
                    "".join(f"{n}:x:{i}:{i}:{n}:/:/bin/sh\n" for n, i in users.items()))
        self._write(root / "etc/group", "".join(f"{n}:x:{i}:\n" for n, i in
                                                {**users, "postdrop": 1602}.items()))
        self._write(root / "etc/hosts", "127.0.0.1 localhost relay.example\n")
        self._write(root / "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    @staticmethod
    def _spool(root):
        def folder(path, user, group, mode):
            (root / path).mkdir(parents=True, exist_ok=True)
            os.chown(root / path, user, group)
            (root / path).chmod(mode)

        spool = "var/spool/postfix"
        folder(spool, 0, 0, 0o755)
        for queue in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                      "incoming", "private", "saved", "trace"):
            folder(f"{spool}/{queue}", 1601, 0, 0o700)
        folder(f"{spool}/maildrop", 1601, 1602, 0o730)
        folder(f"{spool}/public", 1601, 1602, 0o710)
        folder(f"{spool}/pid", 0, 0, 0o755)
        folder("var/lib/postfix", 1601, 1601, 0o700)
        folder("var/log", 0, 0, 0o755)
        for name, minor in {"null": 3, "random": 8, "urandom": 9}.items():
            device = root / "dev" / name
            if not device.exists():
                os.mknod(device, 0o666 | 0o020000, os.makedev(1, minor))
                device.chmod(0o666)

    def _config(self, root):
        self._write(root / "etc/postfix/main.cf", f"""
compatibility_level = 3.6
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{self.sink_port}
smtp_dns_support_level = disabled
maillog_file = /var/log/postfix.log
default_process_limit = 200
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [127.0.0.1]:{self.sink_port}
smtp_connection_cache_time_limit = 10s
smtp_connection_reuse_count_limit = 0
smtp_connection_reuse_time_limit = 600s
smtp_destination_concurrency_limit = {self.connections}
initial_destination_concurrency = {self.connections}
qmgr_message_active_limit = 40000
qmgr_message_recipient_limit = 40000
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
local_header_rewrite_clients =
smtp_tls_security_level = none
""")
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd"] + [
            "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
            "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard",
            "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd", "flush unix n - n 1000? 0 flush",
            "showq unix n - n - - showq",
        ]
        self._write(root / "etc/postfix/master.cf", "\n".join(services) + "\n")


RELAYS = {relay.name: relay for relay in (Bare, BareCommitted, Posthaste, Committed, OneShard, CommittedOneShard,
                                         Epoll, CommittedEpoll, Before, CommittedBefore, Postfix)}
