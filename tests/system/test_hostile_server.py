"""Servers that mean harm or are broken: the relay keeps its limits, delivers to the others meanwhile,
and accounts for every recipient. Each recipient is delivered once, but for a receiver that accepted
and then broke off before it said so (RFC 5321 4.5.3.2.6 and RFC 1047)."""

import collections
import threading
import time

import pytest

from hostile import EHLO_REPLY, ScriptedServer, honest
from messages import assert_identical, message
from processes import sanitized, wait_until
from relay import inject_with, settle

pytestmark = pytest.mark.hostile
FACTOR = 4 if sanitized() else 1


@pytest.fixture
def make_server():
    made = []

    def make(behave):
        made.append(ScriptedServer(behave))
        return made[-1]

    yield make
    for server in made:
        server.stop()


# Scripted failures, with exact accounting -----------------------------------------------------------
def inject_many(relay, count, domain="sink.test"):
    with relay.client() as client:
        client.ehlo()
        for i in range(count):
            inject_with(client, message(f"m{i}", b"hello %d\r\n" % i), f"reader{i}@{domain}")


def assert_accounted(relay, sink, count):
    """Every recipient has exactly one final event; the sink's ledger agrees with it."""
    relay.wait_until_empty(60 * FACTOR)
    settle(1)  # events and ledger are written in batches
    delivered = collections.Counter(e["recipient"] for e in relay.events("Delivery"))
    bounced = collections.Counter(e["recipient"] for e in relay.events("Bounce"))
    final = delivered + bounced
    assert final == {f"reader{i}@sink.test": 1 for i in range(count)}
    acknowledged = collections.Counter()
    for _, recipient, known in sink.ledger():
        acknowledged[recipient] += known
    assert {r for r in acknowledged if acknowledged[r] > 1} == set(), "delivered twice"
    assert {r: n for r, n in acknowledged.items() if n} == dict(delivered)


STAGES = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "DOT", "QUIT"]
FAULTS = ["drop; first 5", "reset; first 5", "421 4.3.2 closing; first 5", "drop; every 3",
          "451 4.3.0 later; every 4"]


# A server that says 451 amid the content and 250 to it as well gives two answers to one question:
# which of them counts cannot be known.
CASES = [(stage, fault) for stage in STAGES for fault in FAULTS
         if not (stage == "CONTENT" and fault.startswith("451"))]


@pytest.mark.parametrize("stage, fault", CASES)
def test_faults_at_every_stage(make_relay, make_sink, stage, fault):
    sink = make_sink("--rule", f"{stage}: {fault}", "--no-chunking")
    relay = make_relay({"*": sink.port},
                       config={"shaping": {"default": {"connection_limit": 3}}})
    count = 30
    inject_many(relay, count)
    assert_accounted(relay, sink, count)
    assert not relay.events("Bounce")


@pytest.mark.parametrize("stage, fault", [
    (stage, fault) for stage, fault in CASES if stage in ("MAIL", "RCPT", "CONTENT", "DOT")
    and fault in ("drop; every 3", "reset; first 5", "451 4.3.0 later; every 4")])
def test_faults_at_every_stage_of_bdat(make_relay, make_sink, stage, fault):
    sink = make_sink("--rule", f"{stage}: {fault}")
    relay = make_relay({"*": sink.port},
                       config={"shaping": {"default": {"connection_limit": 3}}})
    count = 30
    inject_many(relay, count)
    assert_accounted(relay, sink, count)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
def test_permanent_refusals_bounce_once(make_relay, make_sink, stage):
    sink = make_sink("--rule", f"{stage}: 550 5.7.1 no; every 3", "--no-chunking")
    relay = make_relay({"*": sink.port},
                       config={"shaping": {"default": {"connection_limit": 3}}})
    count = 30
    inject_many(relay, count)
    assert_accounted(relay, sink, count)
    bounces = relay.events("Bounce")
    assert bounces and all(event["response"]["code"] == 550 for event in bounces)


def test_mixed_replies_to_recipients_of_one_message(make_relay, make_sink):
    """250, 450 and 550 in one transaction: each recipient by its own reply."""
    sink = make_sink("--rule", "RCPT@later.test: 450 4.2.1 later; first 1",
                     "--rule", "RCPT@never.test: 550 5.1.1 unknown")
    relay = make_relay({"*": sink.port})
    relay.inject(message("mixed", b"hello\r\n"),
                 ["a@now.test", "b@now.test", "c@later.test", "d@never.test"])
    relay.wait_for_events("Delivery", 3)
    relay.wait_for_events("Bounce", 1)
    assert [e["recipient"] for e in relay.events("Bounce")] == ["d@never.test"]
    assert [e["recipient"] for e in relay.events("TransientFailure")] == ["c@later.test"]
    settle()
    assert sorted(r for _, r in sink.accepted()) == ["a@now.test", "b@now.test", "c@later.test"]


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_a_server_that_closes_after_so_many_messages(make_relay, make_sink, limit):
    sink = make_sink("--close-after", str(limit))
    relay = make_relay({"*": sink.port},
                       config={"shaping": {"default": {"connection_limit": 2}}})
    inject_many(relay, 60)
    assert_accounted(relay, sink, 60)


def test_a_server_with_a_cap_on_connections(make_relay, make_sink):
    sink = make_sink("--max-connections", "2")
    relay = make_relay({"*": sink.port})
    inject_many(relay, 100)
    assert_accounted(relay, sink, 100)


@pytest.mark.parametrize("mode", ["haraka", "no-pipelining", "helo-only"])
def test_modes_of_the_sink(make_relay, make_sink, mode):
    """503 to what follows the dot in one group; no PIPELINING; no EHLO. Nothing counts as a failure."""
    sink = make_sink("--mode", mode)
    relay = make_relay({"*": sink.port},
                       config={"shaping": {"default": {"connection_limit": 2}}})
    inject_many(relay, 200)
    assert_accounted(relay, sink, 200)
    assert not relay.events("TransientFailure") and not relay.events("Bounce")
    assert {event["num_attempts"] for event in relay.events("Delivery")} <= {0, 1}


def test_greylisting(make_relay, make_sink):
    sink = make_sink("--rule", "RCPT: greylist 1s; 451 4.7.1 not yet")
    relay = make_relay({"*": sink.port})
    inject_many(relay, 20)
    assert_accounted(relay, sink, 20)
    assert len(relay.events("TransientFailure")) >= 20


# What no sensible server does -------------------------------------------------------------------------
def endless_banner(talk):
    talk.flood(b"220-welcome, and welcome, and welcome\r\n" * 100)


def endless_line(talk):
    talk.flood(b"220 " + b"x" * 65536)


def endless_ehlo(talk):
    talk.say(b"220 hostile.test\r\n")
    talk.hear()
    talk.flood(b"250-EXTENSION some parameters\r\n" * 100)


def reply_flood(talk):
    """Replies nobody asked for."""
    talk.say(b"220 hostile.test\r\n")
    talk.hear()
    talk.say(EHLO_REPLY)
    talk.flood(b"250 2.0.0 ok\r\n" * 1000)


def flood_at_the_dot(talk):
    talk.say(b"220 hostile.test\r\n")
    talk.hear()
    talk.say(b"250 hostile.test\r\n")
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
        talk.hear()
        talk.say(reply)
    talk.hear_message()
    talk.flood(b"451-not yet\r\n" * 1000)


def garbage(talk):
    talk.say(bytes(range(256)) * 40 + b"\r\n")


def not_smtp(talk):
    talk.say(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    talk.hear()
    talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def mixed_codes(talk):
    talk.say(b"220-hostile\r\n250-what\r\n220 is this\r\n")
    talk.hear()


def nonsense_codes(talk):
    talk.say(b"220 hostile.test\r\n")
    talk.hear()
    talk.say(b"250 hostile.test\r\n")
    talk.hear()
    talk.say(b"999 who are you\r\n")
    talk.hear()


def go_on_without_asking(talk):
    """354 to MAIL."""
    talk.say(b"220 hostile.test\r\n")
    talk.hear()
    talk.say(b"250 hostile.test\r\n")
    talk.hear()
    talk.say(b"354 go on\r\n")
    talk.hear()


def closes_at_once(talk):
    talk.socket.close()


def resets_at_once(talk):
    talk.reset()


BEHAVIOURS = [endless_banner, endless_line, endless_ehlo, reply_flood, flood_at_the_dot, garbage,
              not_smtp, mixed_codes, nonsense_codes, go_on_without_asking, closes_at_once,
              resets_at_once]


@pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda behave: behave.__name__)
def test_nonsense_is_a_failed_attempt(make_relay, make_sink, make_server, behave):
    """It ends in a bounded time, is recorded, others are served meanwhile; then the server heals."""
    server, sink = make_server(behave), make_sink()
    relay = make_relay({"hostile.test": server.port, "*": sink.port})
    before = relay.process.memory()
    relay.inject(message("unlucky", b"hello\r\n"), "reader@hostile.test")
    relay.inject(message("lucky", b"hello\r\n"), "reader@sink.test")
    sink.wait_for(1)
    failure = relay.wait_for_events("TransientFailure", 1)[0]
    assert failure["recipient"] == "reader@hostile.test"
    assert len(failure["response"]["content"]) <= 2048
    if not sanitized():
        assert relay.process.memory() - before < 32 << 20
    server.healed.set()
    relay.wait_until_empty(60)
    assert [recipients for recipients, _ in server.delivered] == [["reader@hostile.test"]]
    assert_identical(message("unlucky", b"hello\r\n"), server.delivered[0][1])
    assert not relay.events("Bounce")


def drip(talk):
    honest(talk, say=talk.drip)


def late_replies(talk):
    def say(octets):
        time.sleep(0.05)
        talk.say(octets)

    honest(talk, say)


def hundred_line_replies(talk):
    honest(talk, banner=b"220-hello\r\n" * 99 + b"220 hello\r\n",
           ehlo=b"250-hostile.test\r\n" + b"250-XTENSION a b c\r\n" * 98
           + b"250 PIPELINING\r\n")


def eight_bit_texts(talk):
    honest(talk, banner="220 grüß dich ✉\r\n".encode())


@pytest.mark.parametrize("behave", [drip, late_replies, hundred_line_replies, eight_bit_texts],
                         ids=lambda behave: behave.__name__)
def test_odd_but_right_servers_get_their_mail(make_relay, make_server, behave):
    server = make_server(behave)
    relay = make_relay({"*": server.port}, config={"shaping": {"default": {"connection_limit": 1}}})
    inject_many(relay, 5)
    relay.wait_for_events("Delivery", 5)
    recipients = sorted(recipients for recipients, _ in server.delivered)
    assert recipients == [[f"reader{i}@sink.test"] for i in range(5)]
    assert not relay.events("TransientFailure")


def test_a_quit_that_is_never_answered(make_relay, make_server):
    """The message counts as delivered at once, and the connection is given up after a while."""
    closed = threading.Event()

    def behave(talk):
        talk.say(b"220 hostile.test\r\n")
        while True:
            verb = talk.hear()[:4].upper()
            if verb == b"QUIT" or not verb:
                break
            if verb == b"DATA":
                talk.say(b"354 go on\r\n")
                talk.server.delivered.append(talk.hear_message())
            talk.say(b"250 ok\r\n")
        while talk.socket.recv(65536):
            pass
        closed.set()

    server = make_server(behave)
    relay = make_relay({"*": server.port}, config={
        "shaping": {"default": {"max_deliveries_per_connection": 1}}})
    relay.inject(message("bye", b"hello\r\n"), "reader@hostile.test")
    relay.wait_for_events("Delivery", 1)
    assert closed.wait(60), "the relay keeps a connection whose QUIT is not answered"
    assert len(server.delivered) == 1


@pytest.mark.parametrize("silent_after", ["connect", "EHLO", "MAIL", "DATA", "dot"])
def test_a_silent_server_delays_nobody_else(make_relay, make_sink, make_server, silent_after):
    def behave(talk):
        if silent_after == "connect":
            return talk.hang()
        talk.say(b"220 hostile.test\r\n")
        while True:
            verb = talk.hear()[:4].upper()
            if verb == silent_after.encode():
                return talk.hang()
            if verb == b"DATA":
                talk.say(b"354 go on\r\n")
                talk.hear_message()
                return talk.hang()
            talk.say(b"250 ok\r\n")

    server, sink = make_server(behave), make_sink()
    relay = make_relay({"hostile.test": server.port, "*": sink.port})
    for i in range(50):
        relay.inject(message(f"stuck-{i}", b"hello\r\n"), f"reader{i}@hostile.test")
    wait_until(lambda: server.connections >= 1, 10, "the relay connects")
    started = time.monotonic()
    inject_many(relay, 50)
    sink.wait_for(50)
    assert time.monotonic() - started < 10 * FACTOR
    assert server.connections <= 10, "more than connection_limit connections"


def test_connections_refused(make_relay, make_sink):
    """Nobody listens: deferred with a reason, then delivered when somebody does."""
    sink = make_sink()
    port = sink.port
    sink.stop()
    relay = make_relay({"*": port})
    relay.inject(message("early", b"hello\r\n"), "reader@sink.test")
    failure = relay.wait_for_events("TransientFailure", 1)[0]
    assert "refused" in failure["response"]["content"].lower(), failure
    again = make_sink(port=port)
    assert again.wait_for(1)[0][1] == "reader@sink.test"


def test_expiry(make_relay, make_sink):
    """Deferred until max_age: one Expiration, and no more attempts."""
    sink = make_sink("--rule", "RCPT: 451 4.2.0 never")
    relay = make_relay({"*": sink.port}, config={"retry": {"intervals": ["1s"], "max_age": "3s"}})
    relay.inject(message("old", b"hello\r\n"), "reader@sink.test")
    expired = relay.wait_for_events("Expiration", 1)[0]
    assert expired["recipient"] == "reader@sink.test"
    attempts = len(relay.events("TransientFailure"))
    assert 2 <= attempts <= 5
    settle(2)
    assert len(relay.events("TransientFailure")) == attempts
    assert len(relay.events("Expiration")) == 1
    assert relay.metric("posthaste_deliveries_total", outcome="expired") == 1


def test_the_second_hop_is_tried_when_the_first_is_dead(make_relay, make_sink):
    dead = make_sink()
    dead.stop()
    sink = make_sink()
    relay = make_relay({"*": [dead.port, sink.port]})
    inject_many(relay, 10)
    assert len(sink.wait_for(10)) == 10
