"""Injection by real clients: swaks, Postfix's smtp-source, nodemailer and Python's smtplib. What the
sink captured is what they sent."""

import base64
import collections
import json
import os
import smtplib
import subprocess

import pytest

from messages import SAMPLES, assert_identical, message, sample_name, without_trace
from processes import PEERS

POSTFIX = PEERS / "postfix"


@pytest.fixture
def relay_to_sink(make_relay, make_sink):
    sink = make_sink(capture=True)
    relay = make_relay({"*": sink.port})
    return relay, sink


def captured(sink, count):
    sink.wait_for(count)
    return [path.read_bytes() for path in sorted(sink.capture.iterdir())]


def test_swaks(relay_to_sink, tmp_path):
    relay, sink = relay_to_sink
    data = tmp_path / "message"
    # swaks makes line ends of its own, and one more at the end.
    data.write_bytes(SAMPLES["dots"].removesuffix(b"\r\n").replace(b"\r\n", b"\n"))
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{relay.smtp_port}", "--helo", "client.test",
         "--from", "news@sender.test", "--to", "a@one.test,b@two.test,c@one.test",
         "--data", f"@{data}", "--pipeline"],
        capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    accepted = sink.wait_for(3)
    assert {recipient for _, recipient in accepted} == {"a@one.test", "b@two.test", "c@one.test"}
    for octets in captured(sink, 3):
        assert_identical(SAMPLES["dots"], octets)


def test_swaks_without_pipelining_is_answered_command_by_command(relay_to_sink):
    relay, sink = relay_to_sink
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{relay.smtp_port}", "--helo", "client.test",
         "--protocol", "SMTP", "--from", "news@sender.test", "--to", "a@one.test"],
        capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sink.wait_for(1)[0][1] == "a@one.test"


def test_smtp_source(relay_to_sink):
    """Postfix's load tool: 20 sessions, 500 messages, several recipients each."""
    relay, sink = relay_to_sink
    count = 500
    (POSTFIX / "etc/postfix").mkdir(exist_ok=True)
    (POSTFIX / "etc/postfix/main.cf").touch()
    done = subprocess.run(
        ["chroot", POSTFIX, "/usr/sbin/smtp-source", "-s", "20", "-m", str(count), "-l", "4096",
         "-f", "news@sender.test", "-t", "reader@sink.test", "-r", "2", "-N", "-M", "client.test",
         f"inet:127.0.0.1:{relay.smtp_port}"],
        capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    accepted = collections.Counter(recipient for _, recipient in sink.wait_for(2 * count, 60))
    assert sum(accepted.values()) == 2 * count
    assert relay.metric("posthaste_messages_received_total") == count


def test_nodemailer(relay_to_sink):
    relay, sink = relay_to_sink
    jobs = [{"from": "news@sender.test", "to": [f"{name}@sink.test"],
             "raw": base64.b64encode(content).decode()}
            for name, content in SAMPLES.items()]
    jobs += [{"from": "news@sender.test", "to": [f"more{i}@sink.test"],
              "raw": base64.b64encode(message(f"more{i}", b"text %d\r\n" % i)).decode()}
             for i in range(100)]
    done = subprocess.run(
        [PEERS / "node/bin/node", os.path.join(os.path.dirname(__file__), "peers/client.js")],
        input=json.dumps({"port": relay.smtp_port, "connections": 5, "messages": jobs}),
        env={**os.environ, "NODE_PATH": str(PEERS / "node/node_modules")},
        capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    arrived = {sample_name(octets): octets for octets in captured(sink, len(jobs))}
    assert len(arrived) == len(jobs)
    for name, sent in SAMPLES.items():
        assert_identical(sent, arrived[name])


def test_smtplib_sends_as_it_does_for_everyone(relay_to_sink):
    """sendmail() of smtplib, with its own dot-stuffing and line ends, and several recipients."""
    relay, sink = relay_to_sink
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, local_hostname="client.test") as client:
        for name in ("plain", "dots", "eight-bit", "empty-body"):
            refused = client.sendmail("news@sender.test", [f"{name}@sink.test", "x@sink.test"],
                                      SAMPLES[name])
            assert refused == {}
    sink.wait_for(8)
    for octets in captured(sink, 8):
        assert_identical(SAMPLES[sample_name(octets)], octets)


def test_bdat_in_pieces_of_every_size(relay_to_sink):
    """CHUNKING at injection: the same content in chunks of 1 to 60 octets, dots and all."""
    relay, sink = relay_to_sink
    content = SAMPLES["dots"]
    with relay.client() as client:
        client.ehlo()
        assert client.has_extn("chunking")
        for size in (1, 2, 3, 7, 60, len(content)):
            assert client.mail("news@sender.test")[0] == 250
            assert client.rcpt(f"size{size}@sink.test")[0] == 250
            chunks = [content[i:i + size] for i in range(0, len(content), size)]
            client.send(b"".join(
                b"BDAT %d%b\r\n%b" % (len(c), b" LAST" if i == len(chunks) - 1 else b"", c)
                for i, c in enumerate(chunks)))
            for _ in chunks:
                code, text = client.getreply()
                assert code == 250, text
    for octets in captured(sink, 6):
        assert_identical(content, octets)


def test_null_sender_and_utf8_addresses(relay_to_sink):
    relay, sink = relay_to_sink
    relay.inject(SAMPLES["plain"], "bounces@sink.test", sender="")
    with relay.client() as client:
        client.ehlo()
        client.command_encoding = "utf-8"
        assert client.mail("news@sender.test", ["SMTPUTF8"])[0] == 250
        assert client.rcpt("grüße@sink.test")[0] == 250
        code, text = client.data(SAMPLES["eight-bit"])
        assert code == 250, text
    recipients = {recipient for _, recipient in sink.wait_for(2)}
    assert recipients == {"bounces@sink.test", "grüße@sink.test"}
    assert all(without_trace(octets) for octets in captured(sink, 2))
