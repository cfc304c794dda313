"""Name servers that do not answer, as real processes: others' mail goes on, the log says why mail waits, and
SIGTERM and health checks do not wait for them. (tests/sim/relay_crowd_test.cc has the larger crowds.)"""

import json
import time
import urllib.request

import pytest

from dns_servers import TYPES, ScriptedServer, mx
from messages import message
from processes import wait_until

SILENT = 1500  # domains


@pytest.fixture
def half_silent():
    """Silent about everything below silent.test; every other domain has its mail at this machine."""
    def script(query, over_tcp):
        if query.name.endswith(".silent.test"):
            return None
        if query.type == TYPES["MX"]:
            return query.reply([mx(10, "mx.good.test")])
        if query.type == TYPES["A"]:
            return query.reply([(TYPES["A"], 60, bytes([127, 0, 0, 1]))])
        return query.reply()
    server = ScriptedServer(script)
    yield server
    server.stop()


def silent_crowd(relay, sink, dns, count=SILENT):
    body = json.dumps({"envelope_sender": "news@sender.test",
                       "content": "Subject: crowd\r\n\r\nhello\r\n",
                       "recipients": [{"email": f"u@d{i}.silent.test"} for i in range(count)]})
    request = urllib.request.Request(f"http://127.0.0.1:{relay.http_port}/api/inject/v1",
                                     body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert json.load(reply)["success_count"] == count


def settings(dns, sink):
    return {"dns": {"servers": [f"127.0.0.1:{dns.port}"]},
            "delivery": {"port": sink.port, "prohibited_hosts": []}}


def test_a_good_domain_does_not_wait_for_silent_ones(half_silent, make_relay, make_sink):
    sink = make_sink()
    relay = make_relay(config=settings(half_silent, sink))
    silent_crowd(relay, sink, half_silent)
    relay.inject(message("good", b"hello\r\n"), "reader@good.test")
    # Half a minute is for a machine under load; one lookup after the other would take two.
    sink.wait_for(1, seconds=30)
    assert relay.get("/healthz")[0] == 200
    wait_until(lambda: "no answer from DNS about" in relay.process.output(), 30,
               "the log says that name servers are silent")
    assert f"127.0.0.1:{half_silent.port}" in relay.process.output()


def test_sigterm_does_not_wait_for_silent_name_servers(half_silent, make_relay, make_sink):
    sink = make_sink()
    relay = make_relay(config=settings(half_silent, sink))
    silent_crowd(relay, sink, half_silent)
    begin = time.monotonic()
    relay.stop(seconds=45)
    assert time.monotonic() - begin < 40  # 20 s of drain, and a margin for a machine under load
