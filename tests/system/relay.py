"""The relay under test and the sink behind it, with generated configuration, on ports of their own.

POSTHASTE_IO_BACKEND=epoll (or io_uring) runs every relay on that backend; a test's own `config` counts more.
"""

import json
import os
import pathlib
import re
import smtplib
import time
import urllib.error
import urllib.request

from processes import Process, free_port, program, sanitized, wait_until

IO_BACKEND = os.environ.get("POSTHASTE_IO_BACKEND")

# As plain values; `toml_value` writes them. Tests change what they are about.
DEFAULTS = {
    "node": {"hostname": "relay.test", "shards": 2},
    "spool": {"segment_size": "4MiB"},  # durability "commit", as by default
    "dns": {"servers": ["127.0.0.1:9"]},  # nobody there: a test that needs DNS says so
    "retry": {"intervals": ["300ms", "1s"], "max_age": "1h"},
    "shaping": {"default": {"connection_limit": 10, "max_deliveries_per_connection": 100,
                            "max_message_rate": "100000/s", "max_connection_rate": "10000/s"}},
}


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return str(value)


def toml_text(config):
    """Tables from dicts, arrays of tables from lists of dicts."""
    lines = []
    for name, section in config.items():
        for table in section if isinstance(section, list) else [section]:
            lines.append(f"[[{name}]]" if isinstance(section, list) else f"[{name}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


def merged(base, change):
    result = dict(base)
    for key, value in (change or {}).items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Relay:
    """posthaste serve. routes: {domain pattern: port or "host:port" or list of them}, in order."""

    def __init__(self, folder, routes=None, config=None, smtp=None, http=None, env=None,
                 launcher=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.smtp_port, self.http_port = free_port(), free_port()
        self.env, self.launcher = env, list(launcher)
        self.config = merged(DEFAULTS, {"node": {"data_dir": str(self.folder / "data")}})
        if IO_BACKEND:
            self.config["node"]["io_backend"] = IO_BACKEND
        self.config["listener"] = [
            merged({"name": "smtp", "protocol": "smtp",
                    "address": [f"127.0.0.1:{self.smtp_port}"]}, smtp),
            merged({"name": "http", "protocol": "http",
                    "address": [f"127.0.0.1:{self.http_port}"],
                    "serve": ["inject", "metrics"]}, http),
        ]
        if routes:
            self.config["route"] = [
                {"domain": domain, "hosts": [self._address(hop) for hop in
                                             (hops if isinstance(hops, list) else [hops])]}
                for domain, hops in routes.items()
            ]
        self.config = merged(self.config, config)
        self.config_file = self.folder / "posthaste.toml"
        self.process = None

    @staticmethod
    def _address(hop):
        return f"127.0.0.1:{hop}" if isinstance(hop, int) else hop

    def start(self, wait=True, options=(), sockets=(), log="relay.log"):
        self.config_file.write_text(toml_text(self.config))
        command = self.launcher + [program("posthaste"), "serve", "--config", self.config_file,
                                   *options]
        self.process = Process(command, self.folder / log, name="posthaste", env=self.env,
                               sockets=sockets)
        if wait:
            self.process.wait_for_output("ready")
        return self

    def stop(self, seconds=60):
        """Drains; the exit status must be 0 and the log free of broken assertions."""
        if self.process is None or not self.process.alive():
            return self.assert_sound()
        status = self.process.stop(seconds)
        assert status == 0, f"posthaste ended with {status}:\n{self.process.output()[-4000:]}"
        return self.assert_sound()

    def assert_sound(self):
        log = self.process.output() if self.process else ""
        for mark in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer",
                     "assertion"):
            assert mark not in log, f"the relay's log has {mark}:\n{log[-6000:]}"

    # Injection -----------------------------------------------------------------------------
    def client(self, timeout=30):
        return smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="client.test",
                            timeout=timeout)

    def inject(self, content, recipients, sender="news@sender.test", options=()):
        """One message over its own connection; content as octets with CRLF. The reply's text."""
        with self.client() as client:
            client.ehlo()
            return inject_with(client, content, recipients, sender, options)

    # What it tells ---------------------------------------------------------------------------
    def get(self, path):
        """(status, body) of an HTTP GET."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}",
                                        timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """{series as written: value} of one scrape."""
        status, text = self.get("/metrics")
        assert status == 200, text
        found = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                found[series] = float(value)
        return found

    def metric(self, name, **labels):
        """The sum of all series of a name that carry these labels."""
        total = 0.0
        for series, value in self.metrics().items():
            match = re.fullmatch(r"([a-z0-9_]+)(?:\{(.*)\})?", series)
            if not match or match.group(1) != name:
                continue
            have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""))
            if all(have.get(key) == str(wanted) for key, wanted in labels.items()):
                total += value
        return total

    def events(self, kind=None):
        """The event log so far, oldest first; of one type if asked."""
        found = []
        for path in sorted((self.folder / "data/events").glob("*")):
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):  # the last line may still be being written
                    event = json.loads(line)
                    if kind is None or event["type"] == kind:
                        found.append(event)
        return found

    def wait_for_events(self, kind, count, seconds=30):
        def enough():
            found = self.events(kind)
            return found if len(found) >= count else None

        return wait_until(enough, seconds * (4 if sanitized() else 1), f"{count} {kind} events")

    def wait_until_empty(self, seconds=60):
        """Waits until no recipient is queued in any state. Asked twice: one that travels between
        shards may be counted on neither for a moment."""
        def is_empty():
            return self.metric("posthaste_queue_recipients") == 0
        wait_until(lambda: is_empty() and time.sleep(0.05) is None and is_empty(), seconds,
                   "the queue is empty")


def inject_with(client, content, recipients, sender="news@sender.test", options=()):
    """One more message on an open smtplib connection. Unlike sendmail() of smtplib, which mends
    line ends, it sends the octets as they are. The text of the final reply."""
    recipients = [recipients] if isinstance(recipients, str) else recipients
    code, text = client.mail(sender, list(options))
    assert code == 250, text
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        assert code in (250, 251), text
    code, text = client.docmd("DATA")
    assert code == 354, text
    body = content if content.endswith(b"\r\n") else content + b"\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", body)
    client.send(stuffed + b".\r\n")
    code, text = client.getreply()
    assert code == 250, text
    return text.decode()


class Sink:
    """bench's smtp_sink with a ledger; options go to its command line as they are."""

    def __init__(self, folder, *options, capture=False, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.ledger_file = self.folder / "ledger"
        self.capture = self.folder / "captured" if capture else None
        command = [program("smtp_sink"), "--listen", f"127.0.0.1:{self.port}",
                   "--ledger", self.ledger_file, *options]
        if capture:
            self.capture.mkdir(exist_ok=True)
            command += ["--capture", self.capture]
        self.process = Process(command, self.folder / "sink.log", name="smtp_sink")
        self.process.wait_for_output("smtp_sink: ready")

    def ledger(self):
        """[(message id, recipient, acknowledged?)] in the order of acceptance."""
        if not self.ledger_file.exists():
            return []
        lines = self.ledger_file.read_text().splitlines(keepends=True)
        fields = [line.rstrip("\n").split("\t") for line in lines if line.endswith("\n")]
        return [(line[0], line[1], line[3] == "acknowledged") for line in fields]

    def accepted(self):
        """[(message id, recipient)] in the order of acceptance."""
        return [entry[:2] for entry in self.ledger()]

    def wait_for(self, count, seconds=30):
        factor = 4 if sanitized() else 1
        wait_until(lambda: len(self.accepted()) >= count, seconds * factor,
                   f"the sink has {count} recipients")
        return self.accepted()

    def stop(self):
        return self.process.stop()


def settle(seconds=0.5):
    """Lets time pass in which nothing may happen (a second delivery, for example)."""
    time.sleep(seconds)
