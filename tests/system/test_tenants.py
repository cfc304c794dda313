"""Tenants, campaigns and priorities with real processes: named by header fields and by HTTP, kept over a
kill -9, told in events and metrics."""

import json
import urllib.error
import urllib.request

from processes import free_port
from relay import Sink

TENANTS = {"tenant": [{"name": "news", "weight": 10, "priority": "bulk", "bounces": "both"},
                      {"name": "default", "weight": 1}]}
FIELDS = {"tenant_header": "X-Tenant", "campaign_header": "X-Campaign", "priority_header": "X-Urgency"}
CONTENT = (b"From: a@sender.test\r\nX-Tenant: news\r\nSubject: x\r\nX-Campaign: spring\r\n"
           b"X-Urgency: urgent\r\nX-Stays: yes\r\n\r\nbody\r\n")


def post(relay, **fields):
    body = {"envelope_sender": "a@sender.test", "recipients": [{"email": "h@one.test"}],
            "content": "Subject: x\n\nbody\n", **fields}
    request = urllib.request.Request(f"http://127.0.0.1:{relay.http_port}/api/inject/v1",
                                     data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_fields_name_tenant_and_campaign_and_are_taken_out(make_relay, make_sink):
    sink = make_sink(capture=True)
    relay = make_relay({"*": sink.port}, config=TENANTS, smtp=FIELDS)
    relay.inject(CONTENT, ["s@one.test"])
    sink.wait_for(1)
    arrived = next(iter(sink.capture.iterdir())).read_bytes()
    assert arrived.endswith(b"From: a@sender.test\r\nSubject: x\r\nX-Stays: yes\r\n\r\nbody\r\n")
    assert b"X-Tenant" not in arrived and b"X-Urgency" not in arrived
    assert post(relay, tenant="other", campaign="autumn", priority="bulk")[0] == 200
    sink.wait_for(2)
    relay.wait_until_empty()
    told = {event["recipient"]: (event["tenant"], event["campaign"])
            for event in relay.wait_for_events("Delivery", 2)}
    assert told == {"s@one.test": ("news", "spring"), "h@one.test": ("other", "autumn")}
    for tenant in ("news", "other"):
        assert relay.metric("posthaste_tenant_messages_total", tenant=tenant, outcome="delivered") == 1


def test_names_that_will_not_do_are_refused(make_relay, make_sink):
    relay = make_relay({"*": make_sink().port}, config=TENANTS, smtp=FIELDS)
    status, answer = post(relay, priority="low")
    assert status == 422
    assert answer["errors"][0]["field"] == "priority"
    assert 'must be "urgent", "normal" or "bulk"' in answer["errors"][0]["message"]
    status, answer = post(relay, tenant="x" * 129)
    assert (status, answer["errors"][0]["field"]) == (422, "tenant")
    with relay.client() as client:
        client.ehlo()
        client.mail("a@sender.test")
        client.rcpt("b@one.test")
        code, text = client.data("X-Urgency: soon\r\n\r\nbody\r\n")
    assert (code, text) == (554, b"5.6.0 X-Urgency must be urgent, normal or bulk")


def test_tenant_and_campaign_survive_kill_9(make_relay, tmp_path):
    port = free_port()  # nobody listens there yet
    relay = make_relay({"*": port}, config=TENANTS, smtp=FIELDS)
    relay.inject(CONTENT, ["s@one.test"])
    relay.process.kill()
    relay.start()
    sink = Sink(tmp_path / "late", port=port)
    try:
        sink.wait_for(1)
        relay.wait_until_empty()
        event, = relay.wait_for_events("Delivery", 1)
        assert (event["tenant"], event["campaign"]) == ("news", "spring")
    finally:
        sink.process.kill()
