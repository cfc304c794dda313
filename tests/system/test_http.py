"""The HTTP port as clients see it: injection end to end, errors, limits, hostile connections."""

import http.client
import json
import socket
import subprocess
import time

import pytest

from messages import SAMPLES, assert_identical
from processes import wait_until

JSON = {"Content-Type": "application/json"}
TEXT = "X-Sample: http\nFrom: News <news@sender.test>\nSubject: Hello\n\nHello\n.\n..dots\n"


def request(recipients, content=TEXT, **more):
    return {"envelope_sender": "news@sender.test", "content": content,
            "recipients": [{"email": address} for address in recipients], **more}


def post(relay, body, headers=None, connection=None):
    """(status, headers, document) of one injection; body as octets, text or something to encode."""
    own = connection or http.client.HTTPConnection("127.0.0.1", relay.http_port, timeout=60)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    own.request("POST", "/api/inject/v1", body=data, headers=JSON if headers is None else headers)
    reply = own.getresponse()
    document = json.loads(reply.read())
    if connection is None:
        own.close()
    return reply.status, reply.headers, document


def raw(relay, octets, seconds=20):
    """What comes back until the relay closes."""
    with socket.create_connection(("127.0.0.1", relay.http_port), timeout=seconds) as client:
        client.sendall(octets)
        received = b""
        while True:
            piece = client.recv(65536)
            if not piece:
                return received
            received += piece


@pytest.fixture
def relay_to_sink(make_relay, make_sink):
    sink = make_sink(capture=True)
    return make_relay({"*": sink.port}), sink


def test_one_request_reaches_all_recipients(relay_to_sink):
    relay, sink = relay_to_sink
    wanted = ["a@one.test", "b@two.test", "c@one.test"]
    status, _, document = post(relay, request(wanted))
    assert status == 200
    assert document["success_count"] == 3 and document["fail_count"] == 0
    assert document["failed_recipients"] == [] and document["errors"] == []
    assert sorted(recipient for _, recipient in sink.wait_for(3)) == wanted
    for path in sink.capture.iterdir():
        assert_identical(TEXT.replace("\n", "\r\n").encode(), path.read_bytes())
    events = relay.wait_for_events("Delivery", 3)
    assert {event["id"] for event in events} == set(document["ids"])
    received = [line for line in path.read_bytes().split(b"\r\n") if b" with HTTP id " in line]
    assert len(received) == 1


@pytest.mark.parametrize("name", ["dots", "long-lines", "eight-bit", "ends-in-dot", "blank-lines"])
def test_content_arrives_as_by_smtp(relay_to_sink, name):
    relay, sink = relay_to_sink
    for text in (SAMPLES[name].decode(), SAMPLES[name].decode().replace("\r\n", "\n")):
        status, _, document = post(relay, request(["a@one.test"], text))
        assert status == 200, document
    sink.wait_for(2)
    for path in sink.capture.iterdir():
        assert_identical(SAMPLES[name], path.read_bytes())


def test_ten_thousand_recipients_in_one_request(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    wanted = [f"user{i}@site{i % 50}.test" for i in range(10000)]
    status, _, document = post(relay, request(wanted))
    assert status == 200 and document["success_count"] == 10000
    accepted = sink.wait_for(10000, 120)
    assert sorted(recipient for _, recipient in accepted) == sorted(wanted)


def test_bad_recipients_are_reported_and_the_others_delivered(relay_to_sink):
    relay, sink = relay_to_sink
    status, _, document = post(relay, request(["a@one.test", "nobody", "x@y.test\r\nDATA"]))
    assert status == 200
    assert document["success_count"] == 1 and document["fail_count"] == 2
    assert document["failed_recipients"] == ["nobody", "x@y.test\r\nDATA"]
    assert len(document["errors"]) == 2
    assert [recipient for _, recipient in sink.wait_for(1)] == ["a@one.test"]


def test_errors_name_status_field_and_reason(make_relay):
    relay = make_relay(http={"max_message_size": "20KiB"})
    good = request(["a@one.test"])
    cases = [
        (b"{", 400, None),
        (b"", 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"content":' + b"[" * 100 + b"]" * 100 + b"}", 422, "content"),
        (b'{"content":"x"\n,oops}', 400, None),
        ([], 422, None),
        ({**good, "recipients": []}, 422, "recipients"),
        ({**good, "recipients": [{"email": "nobody"}]}, 422, "recipients[0].email"),
        ({**good, "envelope_sender": "a@b.test\nRCPT"}, 422, "envelope_sender"),
        ({**good, "content": {"text_body": "x"}}, 422, "content"),
        ({**good, "content": "a: b\r.\r\n"}, 422, "content"),
        ({**good, "content": "a: b\0"}, 422, "content"),
        ({**good, "content": "x" * 999}, 422, "content"),
        ({**good, "content": "Hello {{ name }}"}, 422, "content"),
        ({**good, "substitutions": {"a": 1}}, 422, "substitutions"),
        ({**good, "tenant": "x" * 129}, 422, "tenant"),
        ({**good, "content": "a: b\n\n" + ("x" * 70 + "\n") * 300}, 413, "content"),
    ]
    for body, status, field in cases:
        got, _, document = post(relay, body)
        assert got == status, (body, document)
        assert document["errors"][0]["field"] == field, (body, document)
        assert document["errors"][0]["message"]
    assert post(relay, good, headers={"Content-Type": "text/plain"})[0] == 415
    assert post(relay, good, headers={**JSON, "Content-Encoding": "gzip"})[0] == 422
    assert post(relay, good, headers={**JSON, "Idempotency-Key": "1"})[0] == 422
    assert post(relay, {**good, "template_dialect": "Static", "content": "a: {{ b }}\n"})[0] == 200


def test_only_allowed_networks_may_inject(make_relay):
    relay = make_relay(http={"allow": ["192.0.2.0/24"]})
    status, _, document = post(relay, request(["a@one.test"]),
                               headers={**JSON, "X-Forwarded-For": "192.0.2.1"})
    assert status == 403 and document["errors"]
    assert relay.get("/readyz")[0] == 200
    assert relay.metric("posthaste_messages_rejected_total", protocol="http",
                        reason="relay_denied") == 1


def test_a_client_that_sends_everything_first_still_reads_413(make_relay):
    """Closing with unread input would reset the connection, and the response would be lost."""
    relay = make_relay(http={"max_message_size": "1KiB"})
    body = b'{"content":"' + b"x" * (40 << 20) + b'"}'
    assert post(relay, body)[0] == 413


def test_curl_chunked_and_with_expectation(relay_to_sink, tmp_path):
    relay, sink = relay_to_sink
    data = tmp_path / "request"
    large = TEXT + ("x" * 70 + "\n") * 30000  # above a megabyte curl waits for 100 Continue
    data.write_text(json.dumps(request(["a@one.test"], large)))
    for extra in (["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
        done = subprocess.run(
            ["curl", "-sS", "-v", "-H", "Content-Type: application/json", *extra,
             "--data-binary", f"@{data}", f"http://127.0.0.1:{relay.http_port}/api/inject/v1"],
            capture_output=True, text=True, check=False, timeout=60)
        assert json.loads(done.stdout)["success_count"] == 1, done.stderr
        assert "100 Continue" in done.stderr
    sink.wait_for(2)


def test_connections_are_kept_and_pipelines_answered_in_order(make_relay):
    relay = make_relay()
    connection = http.client.HTTPConnection("127.0.0.1", relay.http_port, timeout=30)
    for _ in range(50):
        assert post(relay, b"{", connection=connection)[0] == 400
    connection.close()
    answers = raw(relay, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
                         b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                         b"DELETE /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
                         b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    statuses = [piece[:3] for piece in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"404", b"405", b"200"]
    assert b"Allow: GET, HEAD\r\n" in answers
    assert answers.endswith(b"\r\n\r\n")


def test_serve_list_chooses_what_a_listener_answers(make_relay):
    relay = make_relay(http={"serve": ["metrics"]})
    assert post(relay, request(["a@one.test"]))[0] == 404
    assert relay.get("/metrics")[0] == 200
    assert relay.get("/healthz") == (200, '{"status":"ok"}\n')
    other = make_relay(http={"serve": ["inject"]})
    assert other.get("/metrics")[0] == 404
    assert other.get("/readyz")[0] == 200


@pytest.mark.hostile
def test_hostile_connections_are_ended_and_the_others_served(make_relay):
    relay = make_relay()
    endless = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"a" * 70000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 300 + b"\r\n", b"431"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
        (b"EHLO client.test\r\nMAIL FROM:<>\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"POST /api/inject/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST /api/inject/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\n", b"413"),
        (b"POST /api/inject/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         b"Content-Length: 99999999999999\r\n\r\n", b"413"),
    ]
    for octets, status in endless:
        answer = raw(relay, octets)
        assert answer.startswith(b"HTTP/1.1 " + status), (octets[:80], answer)
        assert answer.count(b"HTTP/1.1 ") == 1
    slow = []
    try:
        for _ in range(200):  # heads that never end
            client = socket.create_connection(("127.0.0.1", relay.http_port), timeout=40)
            client.sendall(b"POST /api/inject/v1 HTTP/1.1\r\n")
            slow.append(client)
        assert relay.get("/readyz")[0] == 200
        begun = time.monotonic()
        assert slow[0].recv(100).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 30
        assert post(relay, b"{")[0] == 400
    finally:
        for client in slow:
            client.close()


def test_idle_connections_do_not_delay_the_end(make_relay):
    relay = make_relay()
    with socket.create_connection(("127.0.0.1", relay.http_port), timeout=10) as idle:
        idle.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        relay.stop()
        assert time.monotonic() - begun < 5
        assert idle.recv(1000) == b""


def test_queue_empties_after_http(relay_to_sink):
    relay, sink = relay_to_sink
    for i in range(20):
        assert post(relay, request([f"user{i}@one.test"]))[0] == 200
    sink.wait_for(20)
    relay.wait_until_empty()
    assert relay.metric("posthaste_messages_received_total", protocol="http") == 20
    wait_until(lambda: len(relay.events("Reception")) == 20, 10, "20 Reception events")
