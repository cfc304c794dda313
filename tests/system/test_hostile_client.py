"""Clients that mean harm: the relay answers, keeps its limits, and goes on serving the others."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hostile import RawClient
from messages import message, sample_name
from processes import sanitized, wait_until
from relay import settle

pytestmark = pytest.mark.hostile
SENDER = "MAIL FROM:<news@sender.test>"
GROWTH = 96 << 20  # octets the relay may grow by under an attack


@pytest.fixture
def attacked(make_relay, make_sink):
    """A relay, its sink, and a check afterwards that it still serves and has not swollen."""
    sink = make_sink(capture=True)
    relay = make_relay({"*": sink.port})
    before = relay.process.memory()
    yield relay, sink
    relay.inject(message("afterwards", b"still here\r\n"), "after@sink.test")
    wait_until(lambda: "after@sink.test" in [r for _, r in sink.accepted()], 30,
               "an honest message is delivered after the attack")
    if not sanitized():
        grown = relay.process.memory() - before
        assert grown < GROWTH, f"the relay grew by {grown >> 20} MiB"


def begin(client, recipient="victim@sink.test"):
    client.greet()
    assert client.command(SENDER)[0] == 250
    assert client.command(f"RCPT TO:<{recipient}>")[0] == 250
    assert client.command("DATA")[0] == 354


# Smuggling (RFC 5321 4.1.1.4: only CRLF.CRLF ends the data) --------------------------------------
ENDS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CR.CR": b"\r.\r", "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r", "LF.CR": b"\n.\r", "CR.CRLF": b"\r.\r\n",
    "CRLF-NUL.CRLF": b"\r\n\0.\r\n", "CRLF.CRLF-with-space": b"\r\n. \r\n",
}
SMUGGLED = (b"MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<smuggled@sink.test>\r\nDATA\r\n"
            b"X-Sample: smuggled\r\n\r\nsmuggled\r\n.\r\n")


def assert_nothing_smuggled(sink):
    assert "smuggled@sink.test" not in [recipient for _, recipient in sink.accepted()]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_smuggling_is_refused_at_every_split(attacked, end):
    """The bytes after a false end are never parsed as commands, however they are cut into segments:
    the reply to the whole is one refusal, then the connection closes. A false end made of whole
    lines (CRLF NUL . CRLF, CRLF . space CRLF) may be ordinary content instead."""
    relay, sink = attacked
    attack = message("smuggling", b"one") + end + SMUGGLED
    start = len(attack) - len(end) - len(SMUGGLED) - 3
    splits = list(range(start, start + len(end) + 12)) + list(range(start, len(attack), 9))

    def try_split(split):
        with RawClient(relay.smtp_port) as client:
            begin(client)
            client.send(attack[:split])
            time.sleep(0.001)
            client.send(attack[split:])
            code, text = client.reply()
            if end == ENDS["CRLF.CRLF-with-space"]:
                # Whole lines: the first message ends at the smuggled one's own dot.
                assert code == 250, (split, code, text)
                return
            assert 500 <= code < 600, (split, code, text)
            assert client.until_closed() == [], split

    with ThreadPoolExecutor(16) as pool:  # the relay lets each refused client hang a little
        list(pool.map(try_split, splits))
    settle()
    assert_nothing_smuggled(sink)


def test_normalized_line_ends_do_not_end_the_data(make_relay, make_sink):
    """line_endings = "normalize": one message, its bare line ends mended, nothing smuggled."""
    sink = make_sink(capture=True)
    relay = make_relay({"*": sink.port}, smtp={"line_endings": "normalize"})
    ends = {name: end for name, end in ENDS.items() if b"\0" not in end and " " not in name}
    for number, end in enumerate(ends.values()):
        with RawClient(relay.smtp_port) as client:
            begin(client, f"reader{number}@sink.test")
            client.send(message(f"normal-{number}", b"one") + end + SMUGGLED)
            assert client.reply()[0] == 250
            assert client.command("QUIT")[0] == 221
    sink.wait_for(len(ends))
    settle()
    assert_nothing_smuggled(sink)
    for path in sink.capture.iterdir():
        octets = path.read_bytes()
        assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")


def test_smuggling_in_bdat_is_refused(attacked):
    """A bare line feed stored from BDAT would smuggle when it is sent on by DATA."""
    relay, sink = attacked
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"a\rb", b"a\nb", b"\0"):
        content = message("bdat", b"one") + end + b"MAIL FROM:<smuggled@evil.test>\r\n"
        with RawClient(relay.smtp_port) as client:
            client.greet()
            client.command(SENDER)
            client.command("RCPT TO:<victim@sink.test>")
            client.send(b"BDAT %d LAST\r\n" % len(content) + content)
            code, text = client.reply()
            assert 500 <= code < 600, (end, code, text)
    settle()
    assert sink.accepted() == []


# Limits --------------------------------------------------------------------------------------------
def test_a_command_line_without_end(attacked):
    """Refused once past its limit, and not kept: 32 MiB cost no memory."""
    relay, _ = attacked
    with RawClient(relay.smtp_port) as client:
        client.greet()
        for _ in range(512):
            client.send(b"A" * 65536)
        client.send(b"\r\nNOOP\r\n")
        code, text = client.reply()
        assert code == 500 and text.startswith("5.5.2"), (code, text)
        assert client.reply()[0] == 250


def test_errors_are_counted(attacked):
    relay, _ = attacked
    with RawClient(relay.smtp_port) as client:
        client.greet()
        client.send(b"NONSENSE\r\n" * 200)
        codes = [code for code, _ in client.until_closed()]
        assert codes[-1] == 421 and 500 in codes and len(codes) <= 40, codes


def test_junk_commands_are_counted(attacked):
    relay, _ = attacked
    with RawClient(relay.smtp_port) as client:
        client.greet()
        client.send(b"NOOP\r\n" * 1000)
        codes = [code for code, _ in client.until_closed()]
        assert codes[-1] == 421 and len(codes) <= 200, codes[-5:]


def test_a_client_that_never_reads(attacked):
    """Sends commands for ever and takes no reply: neither memory nor anyone else suffers."""
    relay, _ = attacked
    flooders = [RawClient(relay.smtp_port, timeout=1) for _ in range(8)]
    for flooder in flooders:
        try:
            for _ in range(256):
                flooder.send(b"MAIL FROM:<a@b.test>\r\nRSET\r\n" * 2000)
        except OSError:
            pass  # closed on it, or it may not send any more: both are right
    started = time.monotonic()
    relay.inject(message("meanwhile", b"hello\r\n"), "meanwhile@sink.test")
    assert time.monotonic() - started < 5
    for flooder in flooders:
        flooder.close()


def test_a_message_over_the_limit_is_read_and_refused(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={"max_message_size": "1MiB"})
    with RawClient(relay.smtp_port) as client:
        _, text = client.greet()
        assert "SIZE 1048576" in text
        assert client.command(SENDER + " SIZE=1048577")[0] == 552
        assert client.command(SENDER)[0] == 250
        client.command("RCPT TO:<victim@sink.test>")
        assert client.command("DATA")[0] == 354
        client.send(message("large", b"x" * 70 + b"\r\n") + (b"y" * 70 + b"\r\n") * 30000 + b".\r\n")
        code, text = client.reply()
        assert code == 552 and text.startswith("5.3.4"), (code, text)
        assert client.command("NOOP")[0] == 250
    settle()
    assert sink.accepted() == []


def test_too_many_recipients_get_452(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={"max_recipients": 100})
    with RawClient(relay.smtp_port) as client:
        client.greet()
        client.command(SENDER)
        codes = [client.command(f"RCPT TO:<reader{i}@sink.test>") for i in range(105)]
        assert [code for code, _ in codes] == [250] * 100 + [452] * 5
        assert codes[-1][1].startswith("4.5.3")
        client.command("DATA")
        client.send(message("hundred", b"hello\r\n") + b".\r\n")
        assert client.reply()[0] == 250
    assert len(sink.wait_for(100)) == 100


def test_connections_over_the_limit_get_421(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={"max_connections": 20})
    clients = [RawClient(relay.smtp_port) for _ in range(60)]
    codes = [client.reply()[0] for client in clients]
    assert set(codes) == {220, 421}, codes
    assert codes.count(220) <= 20
    for client in clients:
        client.close()

    def served():
        with RawClient(relay.smtp_port) as client:
            return client.reply()[0] == 220

    wait_until(served, 10, "a place is free again")


def test_slow_clients_do_not_slow_the_others(attacked):
    """Slowloris: 500 connections that send an octet now and then; an honest client is served at once."""
    relay, sink = attacked
    slow = [RawClient(relay.smtp_port) for _ in range(500)]
    for client in slow[:250]:
        client.reply()
        client.send(b"EHLO cl")
    for octet in b"ient.te":
        for client in slow[:250]:
            client.send(bytes([octet]))
        started = time.monotonic()
        relay.inject(message("quick", b"hello\r\n"), "quick@sink.test")
        assert time.monotonic() - started < (10 if sanitized() else 3)
    sink.wait_for(7)
    for client in slow:
        client.close()


def test_connections_broken_off_anywhere(attacked):
    """RST after every octet of a dialogue, before the final dot: nothing is accepted."""
    relay, sink = attacked
    dialogue = (b"EHLO client.test\r\n" + SENDER.encode() + b"\r\nRCPT TO:<victim@sink.test>\r\n"
                b"DATA\r\n" + message("broken", b"half a mess") + b"\r\n.\r")
    for cut in range(0, len(dialogue), 3):
        client = RawClient(relay.smtp_port)
        client.send(dialogue[:cut])
        client.reset()
    settle()
    assert sink.accepted() == []


def test_garbage(attacked):
    """Random octets, a TLS greeting, an HTTP request."""
    relay, sink = attacked
    chance = random.Random(1)
    inputs = [bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000)))
              for _ in range(100)]
    inputs.append(bytes.fromhex("16030100f8010000f40303") + bytes(233))
    inputs.append(b"POST / HTTP/1.1\r\nHost: relay\r\nContent-Length: 20\r\n\r\nMAIL FROM:<a@b.c>\r\n")
    for octets in inputs:
        with RawClient(relay.smtp_port) as client:
            try:
                client.send(octets + b"\r\nQUIT\r\n")
                replies = client.until_closed()
            except OSError:
                continue
            assert replies[0][0] == 220 and all(200 <= code < 600 for code, _ in replies), octets
    assert sink.accepted() == []


# Nobody else may relay ------------------------------------------------------------------------------
@pytest.mark.parametrize("recipient", [
    "victim@example.test", "victim%example.test@relay.test", "@relay.test:victim@example.test",
    "example.test!victim", '"victim@example.test"@relay.test', "victim@[127.0.0.1]",
    "postmaster@example.test"])
def test_no_open_relay(make_relay, make_sink, recipient):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={"allow": ["192.0.2.0/24"]})
    for sender in ("<news@sender.test>", "<>", "<root@relay.test>"):
        with RawClient(relay.smtp_port) as client:
            client.greet()
            first = client.command(f"MAIL FROM:{sender}")
            second = client.command(f"RCPT TO:<{recipient}>")
            assert 500 <= second[0] < 600, (first, second)
            third = client.command("DATA")
            assert 500 <= third[0] < 600, third
    settle()
    assert sink.accepted() == []


def test_back_pressure_is_answered_before_the_data(make_relay, make_sink):
    """Memory full while the sink defers: 452 4.3.1 at MAIL, and room again once it has drained."""
    sink = make_sink("--rule", "ANY: stall; until 6s")
    relay = make_relay({"*": sink.port}, config={
        "memory": {"limit": "32MiB"},
        "spool": {"durability": "memory"}})  # with a spool contents would leave memory instead
    accepted, body = 0, b"z" * 76 + b"\r\n"
    with RawClient(relay.smtp_port) as client:
        client.greet()
        for number in range(200):
            code, text = client.command(SENDER)
            if code != 250:
                break
            client.command(f"RCPT TO:<reader{number}@sink.test>")
            assert client.command("DATA")[0] == 354
            client.send(message(f"fill-{number}", body * 13000) + b".\r\n")
            code, text = client.reply()
            if code != 250:
                break
            accepted += 1
        assert code == 452 and text.startswith("4.3.1"), (code, text)
        assert 3 <= accepted < 60, accepted
        assert client.command("NOOP")[0] == 250, "the session goes on"


def test_a_hundred_hops_are_a_loop(attacked):
    relay, sink = attacked
    with RawClient(relay.smtp_port) as client:
        begin(client)
        client.send(b"Received: by somebody; Sun, 22 Nov 2026 21:00:00 +0000\r\n" * 120
                    + message("loop", b"round and round\r\n") + b".\r\n")
        code, text = client.reply()
        assert code == 554 and text.startswith("5.4.6"), (code, text)
    assert sample_name(message("loop", b"")) == "loop" and sink.accepted() == []
