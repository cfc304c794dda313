"""Crowds of peers that send and do not read, or come and stay: the others are served as usual.

What a peer can make the relay hold, buffers, descriptors, places, ends before it touches what the
others need (docs/limits.md, "Engine")."""

import contextlib
import socket
import time

import pytest

from messages import message
from processes import connects, wait_until
from relay import Relay

pytestmark = pytest.mark.hostile
PATIENCE = 50  # seconds for an honest message; a shard that read nobody kept it for longer


def connect(port, source="127.0.0.1", segment=None):
    """A connection that never waits: what cannot be sent now is not sent."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if segment:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
    client.bind((source, 0))
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


def send_until_it_blocks(clients, octets, most=4 << 20):
    """Every client sends as much as the relay takes, up to a limit; it may have been closed."""
    sent = dict.fromkeys(clients, 0)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.5:
        for client in clients:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if sent[client] < most:
                    sent[client] += client.send(octets)
                    quiet_since = time.monotonic()


def assert_honest_mail_flows(relay, sink, name):
    for number in range(5):
        recipient = f"{name}{number}@sink.test"
        relay.inject(message(name, b"served as usual\r\n"), recipient)
        wait_until(lambda wanted=recipient: wanted in [r for _, r in sink.accepted()], PATIENCE,
                   f"{recipient} is delivered in spite of the crowd")
    assert relay.get("/healthz")[0] == 200
    assert relay.get("/metrics")[0] == 200


@pytest.fixture
def crowd():
    """Clients that the test opened, closed at its end."""
    clients = []
    yield clients
    for client in clients:
        client.close()


STRANGER = {"allow": ["127.0.0.1/32"]}


@pytest.mark.parametrize("shards", [1, 2])
def test_strangers_who_pipeline_http_requests_and_never_read(make_relay, make_sink, crowd, shards):
    """H2: twenty of them held every receive buffer of a shard."""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"shards": shards}}, http=STRANGER)
    crowd += [connect(relay.http_port, f"127.0.0.{2 + i % 8}") for i in range(20)]
    send_until_it_blocks(crowd, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    assert_honest_mail_flows(relay, sink, "http-crowd")


@pytest.mark.parametrize("shards", [1, 2])
def test_clients_who_send_recipients_and_never_read(make_relay, make_sink, crowd, shards):
    """H2: 140 allowed clients held every receive buffer of a shard."""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"shards": shards}})
    crowd += [connect(relay.smtp_port) for _ in range(140)]
    opening = b"EHLO x.test\r\nMAIL FROM:<news@sender.test>\r\n"
    send_until_it_blocks(crowd, opening, len(opening))
    send_until_it_blocks(crowd, b"RCPT TO:<somebody@somewhere.test>\r\n" * 1000)
    assert_honest_mail_flows(relay, sink, "smtp-crowd")


# M1: descriptors ---------------------------------------------------------------------------------
def with_descriptors(count):
    return ["prlimit", f"--nofile={count}:{count}"]


def test_hundred_descriptors_and_idle_strangers(make_relay, make_sink, crowd):
    """M1: EMFILE in the spool was taken for a failed disk. What the spool needs is reserved, and
    strangers have a share of what is left."""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"shards": 1}}, smtp=STRANGER,
                       launcher=with_descriptors(100))
    for number in range(85):
        with contextlib.suppress(OSError):
            crowd.append(connect(relay.smtp_port, f"127.0.0.{2 + number}"))
    assert_honest_mail_flows(relay, sink, "descriptors")
    assert relay.metric("posthaste_messages_rejected_total", protocol="smtp",
                        reason="connections") > 0
    assert relay.metric("process_open_fds") < 100
    assert relay.get("/readyz")[0] == 200


def test_hundred_descriptors_and_idle_clients(make_relay, make_sink, crowd):
    """M1: friends who come in numbers are told 421; when they leave, mail flows again."""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"shards": 1}},
                       launcher=with_descriptors(100))
    for _ in range(85):
        with contextlib.suppress(OSError):
            crowd.append(connect(relay.smtp_port))
    time.sleep(0.5)
    assert relay.process.alive()
    while crowd:
        crowd.pop().close()
    wait_until(lambda: relay.metric("posthaste_sessions_open", protocol="smtp") == 0, 20,
               "the relay notices that they left")
    assert_honest_mail_flows(relay, sink, "after-clients")
    assert "spool" not in relay.get("/readyz")[1]


# U1 ------------------------------------------------------------------------------------------------
def test_a_second_relay_on_the_same_port_refuses_to_start(make_relay, make_sink, tmp_path):
    """U1: both said "ready", and the kernel shared the mail out between them."""
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    for listener in range(2):
        second = Relay(tmp_path / f"second{listener}", {"*": sink.port})
        wanted = relay.config["listener"][listener]["address"]
        second.config["listener"][listener]["address"] = wanted
        second.start(wait=False)
        assert second.process.wait(20) == 1
        log = second.process.output()
        assert wanted[0] in log and "ready:" not in log, log
        assert "another Posthaste" in log
    assert_honest_mail_flows(relay, sink, "first")


def test_a_restart_listens_at_once_on_a_port_with_ended_connections(make_relay, make_sink):
    """The first socket is bound without SO_REUSEPORT; connections in TIME_WAIT do not matter."""
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    for number in range(3):
        client = relay.client()
        client.ehlo()
        relay.stop()  # the server closes first: TIME_WAIT is on its side
        client.close()
        relay.start(wait=False)  # "ready" of the run before is in the log
        wait_until(lambda: connects(relay.smtp_port), 20, "it listens again")
        relay.inject(message("again", b"up again\r\n"), f"again{number}@sink.test")
    sink.wait_for(3)
