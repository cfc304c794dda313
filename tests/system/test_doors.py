"""What strangers and clients can make us hold, do and write at the doors (decisions 0027 to 0030)."""

import contextlib
import http.client
import json
import socket

import pytest


CLIENT, STRANGER = "127.0.0.2", "127.0.0.9"
ALLOW = {"allow": [CLIENT + "/32"]}
MAIL = {"envelope_sender": "news@sender.test", "recipients": [{"email": "reader@one.test"}],
        "content": "Subject: x\n\nhello\n"}


def connect(port, address=CLIENT):
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))


def talk(connection, text=b""):
    """What is said next, after the text."""
    connection.sendall(text)
    return connection.recv(65536)


def ask(relay, method="POST", path="/api/inject/v1", body=None, headers=None, address=CLIENT):
    connection = http.client.HTTPConnection("127.0.0.1", relay.http_port, timeout=60,
                                            source_address=(address, 0))
    with contextlib.closing(connection):
        octets = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, octets, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.hostile
def test_strangers_take_no_connection_from_clients(make_relay, make_sink):
    """M6"""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={**ALLOW, "max_connections": 30},
                       http={**ALLOW, "max_connections": 30})
    with contextlib.ExitStack() as stack:
        for port, most in ((relay.smtp_port, 30), (relay.http_port, 30)):
            for i in range(60):
                stack.enter_context(connect(port, f"127.0.1.{i + 1}"))
        for i in range(30):
            client = stack.enter_context(connect(relay.smtp_port))
            assert talk(client).startswith(b"220 "), i
        assert ask(relay, body=MAIL)[0] == 200
        # A probe is answered whatever others hold open.
        assert ask(relay, "GET", "/healthz", address=STRANGER)[0] == 200
        assert talk(stack.enter_context(connect(relay.smtp_port, STRANGER))).startswith(b"421 4.7.0 ")
    sink.wait_for(1)


@pytest.mark.hostile
def test_refusals_of_strangers_are_summed_up(make_relay):
    """H6, U8: not an event each; and the reply, the answer and the log name the address."""
    relay = make_relay(smtp=ALLOW, http=ALLOW, config={"node": {"shards": 1}})  # each counts alone
    for _ in range(3):
        with connect(relay.smtp_port, STRANGER) as stranger:
            assert talk(stranger).startswith(b"220 ")
            assert talk(stranger, b"EHLO x.test\r\n").startswith(b"250")
            for _ in range(15):
                talk(stranger, b"MAIL FROM:<a@b.test>\r\n")
                assert talk(stranger, b"RCPT TO:<c@d.test>\r\n").startswith(
                    b"550 5.7.1 Relaying denied for 127.0.0.9")
                talk(stranger, b"RSET\r\n")
    status, text = ask(relay, body=MAIL, address=STRANGER)
    assert status == 403 and "127.0.0.9 may not inject mail here" in text
    assert len(relay.wait_for_events("Rejection", 1)) == 1
    assert relay.metric("posthaste_messages_rejected_total", protocol="smtp",
                        reason="relay_denied") == 45
    assert any("127.0.0.9" in line and "allow" in line for line in relay.process.output().splitlines())


@pytest.mark.hostile
@pytest.mark.parametrize("junk", [b"1,", b"[],", b"{},", b"null,"])
def test_json_that_no_field_can_be_costs_nothing(make_relay, junk):
    """M4"""
    relay = make_relay(config={"memory": {"limit": "256MiB"}})
    with connect(relay.http_port) as client:
        client.sendall(b"POST /api/inject/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: 130000000\r\n\r\n" + b'{"envelope_sender":"","recipients":[')
        answer = talk(client, junk * 1000)
        assert answer.startswith(b"HTTP/1.1 422 "), answer
    assert ask(relay, "GET", "/healthz")[0] == 200


@pytest.mark.hostile
@pytest.mark.parametrize("name, content", [
    ("newlines", "a: b\n\n" + "\n" * 20_000_000),
    ("dots", "a: b\n\n" + ".\n" * 10_000_000),
    ("fields", "a: b\n" * 10_000_000 + "\n"),
], ids=["newlines", "dots", "fields"])
def test_large_content_does_not_stop_the_loop(make_relay, name, content):
    """L11: others are served while it is converted."""
    relay = make_relay(config={"node": {"shards": 1}})
    body = json.dumps({**MAIL, "content": content}).encode()
    with connect(relay.http_port) as client:
        client.sendall(b"POST /api/inject/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body))
        client.sendall(body)
        answer = talk(client)
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 413 ")), answer
    assert ask(relay, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize("headers, status", [
    ({"Host": "attacker.example"}, 421),
    ({"Host": "attacker.example:8025"}, 421),
    ({"Origin": "https://attacker.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Host": "localhost"}, 200),
    ({"Host": "relay.test"}, 200),
])
def test_web_pages_may_not_inject(make_relay, make_sink, headers, status):
    """L1: DNS rebinding."""
    sink = make_sink()
    relay = make_relay({"*": sink.port}, http={"hosts": ["relay.test"]})
    assert ask(relay, body=MAIL, headers=headers)[0] == status
    assert ask(relay, "GET", "/healthz", headers=headers)[0] == 200
    assert ask(relay, "GET", "/metrics", headers=headers)[0] == status


def test_a_recipient_who_is_named_twice_gets_one_copy(make_relay, make_sink):
    """Q4"""
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    twice = [{"email": "reader@one.test"}, {"email": "reader@ONE.test"}, {"email": "a..b@one.test"}]
    status, text = ask(relay, body={**MAIL, "recipients": twice})
    assert status == 200 and json.loads(text)["success_count"] == 3
    relay.wait_for_events("Delivery", 2)
    delivered = sorted(event["recipient"] for event in relay.events("Delivery"))
    assert delivered == ['"a..b"@one.test', "reader@one.test"]
    assert len(sink.accepted()) == 2
