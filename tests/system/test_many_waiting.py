"""Very many recipients wait for one site, and the site fails (M7): the relay answers, reloads and ends
in time meanwhile. POSTHASTE_WAITING=4000000 makes it four million, which takes some minutes."""

import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time
import urllib.request

import pytest

from processes import sanitized, wait_until

WAITING = int(os.environ.get("POSTHASTE_WAITING", 20_000 if sanitized() else 400_000))
PER_REQUEST = int(os.environ.get("POSTHASTE_PER_REQUEST", 50_000))
SLOW = 4 if sanitized() else 1
# The drain takes 20 s for what is ready and 10 s for what is in flight (docs/limits.md, "drain"); the
# rest is what it takes to start and end a process on a busy machine.
PROMISED = 30
CONFIG = {
    "retry": {"intervals": ["1h"], "max_age": "1d"},
    "memory": {"limit": "6GiB"},
}


class SilentSite:
    """Accepts connections and says nothing, until it fails: then it resets them and is gone."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.open.append(self.listener.accept()[0])

    def fail(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()


class Health:
    """Asks /healthz all the time; the longest it took for an answer."""

    def __init__(self, relay):
        self.url = f"http://127.0.0.1:{relay.http_port}/healthz"
        self.longest = 0.0
        self.answers = 0
        self.wrong = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self):
        while not self.done.is_set():
            begun = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=20) as reply:
                    reply.read()
                self.answers += 1
                self.longest = max(self.longest, time.monotonic() - begun)
            except OSError as error:
                self.wrong.append(repr(error))
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def inject_waiting(relay, count):
    """In requests of PER_REQUEST recipients each, over connections of their own."""
    for first in range(0, count, PER_REQUEST):
        some = range(first, min(first + PER_REQUEST, count))
        body = json.dumps({
            "envelope_sender": "news@sender.test",
            "content": "From: News <news@sender.test>\nSubject: Hello\n\nHello\n",
            "recipients": [{"email": f"reader{number}@many.test"} for number in some]})
        request = urllib.request.Request(
            f"http://127.0.0.1:{relay.http_port}/api/inject/v1", data=body.encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as reply:
            assert json.loads(reply.read())["success_count"] == len(some)


def waiting(relay, state):
    return relay.metric("posthaste_queue_recipients", state=state)


def assert_ends_in_time(relay, told=print):
    begun = time.monotonic()
    relay.process.signal(signal.SIGTERM)
    assert relay.process.wait(180 * SLOW) == 0
    took = time.monotonic() - begun
    relay.assert_sound()
    told(f"SIGTERM to the end: {took:.1f} s")
    assert took < PROMISED * SLOW, f"it ended {took:.1f} s after SIGTERM"


@pytest.fixture
def crowded(make_relay):
    """A relay with WAITING recipients of a site that accepts connections and says nothing."""
    site = SilentSite()
    relay = make_relay({"*": site.port}, config=CONFIG,
                       http={"max_recipients": PER_REQUEST})
    before = relay.process.memory()
    begun = time.monotonic()
    inject_waiting(relay, WAITING)
    wait_until(lambda: waiting(relay, "ready") >= WAITING - 100, 300 * SLOW, "all of them wait")
    took = time.monotonic() - begun
    used = relay.process.memory() - before
    print(f"{WAITING} waiting after {took:.1f} s, {used / WAITING:.0f} octets each")
    yield relay, site
    site.fail()


def test_a_site_with_very_many_waiting_fails(crowded):
    """M7: one turn of 10 s. /healthz answers, a reload comes into force, and all are deferred."""
    relay, site = crowded
    with Health(relay) as health:
        begun = time.monotonic()
        site.fail()
        wait_until(lambda: waiting(relay, "scheduled") > 0, 60 * SLOW, "the first are deferred")
        relay.process.signal(signal.SIGHUP)
        relay.process.wait_for_output("reloaded:", 20 * SLOW)
        reloaded = time.monotonic() - begun
        at_reload = waiting(relay, "scheduled")
        wait_until(lambda: waiting(relay, "scheduled") == WAITING, 300 * SLOW, "all are deferred")
        took = time.monotonic() - begun
    turn = relay.metric("posthaste_loop_longest_turn_seconds")
    print(f"reloaded after {reloaded:.1f} s ({at_reload:.0f} deferred), all after {took:.1f} s; "
          f"/healthz at most {health.longest:.2f} s; longest turn {turn:.3f} s; "
          f"{relay.process.memory() >> 20} MiB")
    assert not health.wrong and health.answers > 0, health.wrong
    assert health.longest < 5 * SLOW  # a probe of Kubernetes waits for so long
    assert_ends_in_time(relay)


def test_sigterm_while_very_many_wait(crowded):
    """The site neither answers nor fails: the longest drain there is, and no longer than promised."""
    relay, _ = crowded
    assert_ends_in_time(relay)
    stay = sum(int(line.split(" recipients stay")[0].rpartition(" ")[2])
               for line in relay.process.output().splitlines() if "stay in the spool" in line)
    assert stay == WAITING


def test_sigterm_while_very_many_fail(crowded):
    relay, site = crowded
    site.fail()
    wait_until(lambda: waiting(relay, "scheduled") > 0, 60 * SLOW, "the first are deferred")
    assert_ends_in_time(relay)
