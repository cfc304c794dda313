"""Mail for domains that only DNS knows: from the MX records to the sink, or to a final failure."""

import json
import threading
import urllib.request

import pytest

from dns_servers import SERVFAIL, TYPES, Nsd, ScriptedServer, mx
from messages import message
from processes import free_port, wait_until

LOOPBACK = bytes([127, 0, 0, 1])

ZONES = {
    "one.test": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "two.test": "@ MX 10 mx.one.test.\n",  # the same site as one.test
    "fallback.test": "@ MX 10 dead\n@ MX 20 gone\n@ MX 30 mx.one.test.\ndead A 127.0.0.2\n",
    "implicit.test": "@ A 127.0.0.1\n",
    "alias.test": "to CNAME one.test.\n",
    "nullmx.test": "@ MX 0 .\n@ A 127.0.0.1\n",
    "literal.test": "@ MX 10 127.0.0.1.\n@ A 127.0.0.1\n",
    "loop.test": "@ MX 10 RELAY.test.\n@ MX 20 mx.one.test.\n",
    "deadmx.test": "@ MX 10 gone\n@ A 127.0.0.1\n",
}


@pytest.fixture
def nsd(tmp_path):
    server = Nsd(tmp_path / "nsd", ZONES)
    yield server
    server.stop()


def settings(dns_port, sink, prohibited=()):
    return {"dns": {"servers": [f"127.0.0.1:{dns_port}"]},
            "delivery": {"port": sink.port, "prohibited_hosts": list(prohibited)}}


def inject(relay, *recipients):
    for number, recipient in enumerate(recipients):
        relay.inject(message(f"m{number}", b"hello\r\n"), recipient)


def test_mail_follows_mx_records(nsd, make_relay, make_sink):
    sink = make_sink()
    relay = make_relay(config=settings(nsd.port, sink))
    domains = ["one.test", "TWO.test", "fallback.test", "implicit.test", "to.alias.test"]
    inject(relay, *[f"reader@{domain}" for domain in domains])
    sink.wait_for(len(domains))
    events = relay.wait_for_events("Delivery", len(domains))
    by_domain = {event["recipient"].partition("@")[2]: event for event in events}
    assert {recipient for _, recipient in sink.accepted()} == {f"reader@{d}" for d in domains}
    assert by_domain["one.test"]["site"] == "mx.one.test"
    assert by_domain["TWO.test"]["site"] == "mx.one.test"
    assert by_domain["to.alias.test"]["site"] == "mx.one.test"
    assert by_domain["implicit.test"]["site"] == "implicit.test"
    # The hosts before it did not answer or do not exist.
    assert by_domain["fallback.test"]["peer_address"]["name"] == "mx.one.test"
    # The other shards publish their counts four times a second.
    wait_until(lambda: relay.metric("posthaste_dns_lookups_total", type="mx") >= len(domains), 5,
               "every domain's MX lookup is counted")


@pytest.mark.parametrize("domain, code, enhanced", [
    ("nowhere.one.test", 550, (5, 1, 2)),
    ("nullmx.test", 556, (5, 1, 10)),
    ("literal.test", 550, (5, 4, 4)),
    ("loop.test", 554, (5, 4, 6)),
    ("deadmx.test", 550, (5, 4, 4)),
])
def test_mail_that_dns_forbids_bounces_at_once(nsd, make_relay, make_sink, domain, code, enhanced):
    sink = make_sink()
    relay = make_relay(config=settings(nsd.port, sink))
    inject(relay, f"reader@{domain}")
    response = relay.wait_for_events("Bounce", 1)[0]["response"]
    found = response["enhanced_code"]
    assert (response["code"], (found["class"], found["subject"], found["detail"])) == (code, enhanced)
    assert domain in response["content"]
    assert relay.events("TransientFailure") == [] and sink.accepted() == []


def test_a_null_mx_that_is_known_is_refused_at_once(nsd, make_relay, make_sink):
    """By SMTP at RCPT, by HTTP among the errors; until it is known it is a bounce (RFC 7505 section 4)."""
    sink = make_sink()
    relay = make_relay(config=settings(nsd.port, sink) | {"node": {"shards": 1}})
    inject(relay, "reader@nullmx.test")
    relay.wait_for_events("Bounce", 1)
    with relay.client() as client:
        client.ehlo()
        client.mail("news@sender.test")
        code, text = client.rcpt("reader@NullMX.test")
        assert code == 556 and text.startswith(b"5.1.10 ")
        assert client.rcpt("reader@one.test")[0] == 250
    body = json.dumps({"envelope_sender": "news@sender.test", "content": "Subject: x\n\nhello\n",
                       "recipients": [{"email": "reader@nullmx.test"}, {"email": "reader@one.test"}]})
    request = urllib.request.Request(f"http://127.0.0.1:{relay.http_port}/api/inject/v1", body.encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        result = json.load(answer)
    assert (result["success_count"], result["failed_recipients"]) == (1, ["reader@nullmx.test"])
    assert "556 5.1.10" in result["errors"][0]["message"]
    sink.wait_for(1)
    rejections = relay.wait_for_events("Rejection", 2)
    assert {event["response"]["code"] for event in rejections} == {556, 422}
    assert len(relay.events("Bounce")) == 1


def test_prohibited_hosts_bounce(nsd, make_relay, make_sink):
    sink = make_sink()
    relay = make_relay(config=settings(nsd.port, sink, ["127.0.0.0/8"]))
    inject(relay, "reader@one.test")
    response = relay.wait_for_events("Bounce", 1)[0]["response"]
    assert response["code"] == 550 and response["enhanced_code"]["detail"] == 4
    assert sink.accepted() == []


def test_a_listener_on_all_addresses_knows_its_own(nsd, make_relay, make_sink):
    """An MX at an address of this machine, with the port that we listen on, leads back to us."""
    port = free_port()
    relay = make_relay(smtp={"address": [f"0.0.0.0:{port}"]},
                       config={"dns": {"servers": [f"127.0.0.1:{nsd.port}"]},
                               "delivery": {"port": port, "prohibited_hosts": []}})
    relay.smtp_port = port
    inject(relay, "reader@one.test")
    response = relay.wait_for_events("Bounce", 1)[0]["response"]
    assert response["code"] == 554 and "address of this host" in response["content"]
    # Another port of this machine is not us.
    sink = make_sink()
    port = free_port()
    relay = make_relay(smtp={"address": [f"0.0.0.0:{port}"]}, config=settings(nsd.port, sink))
    relay.smtp_port = port
    inject(relay, "reader@one.test")
    sink.wait_for(1)


def test_mail_waits_while_dns_is_broken(make_relay, make_sink):
    """SERVFAIL for the MX, then for the address, then all is well: deferred, never bounced."""
    broken = {TYPES["MX"]: threading.Event(), TYPES["A"]: threading.Event()}

    def script(query, over_tcp):
        if query.type in broken and not broken[query.type].is_set():
            return query.reply(code=SERVFAIL)
        if query.type == TYPES["MX"]:
            return query.reply([mx(10, "mx.later.test")])
        return query.reply([(TYPES["A"], 60, LOOPBACK)] if query.type == TYPES["A"] else [])

    dns = ScriptedServer(script)
    try:
        sink = make_sink()
        relay = make_relay(config=settings(dns.port, sink))
        inject(relay, "reader@later.test")
        first = relay.wait_for_events("TransientFailure", 1)[0]["response"]
        assert first["code"] == 451
        assert (first["enhanced_code"]["subject"], first["enhanced_code"]["detail"]) == (4, 3)
        assert "MX lookup" in first["content"]
        broken[TYPES["MX"]].set()
        wait_until(lambda: any("A lookup" in event["response"]["content"]
                               for event in relay.events("TransientFailure")), 60,
                   "the address lookup failed")
        broken[TYPES["A"]].set()
        sink.wait_for(1, 60)
        relay.wait_for_events("Delivery", 1)
        assert relay.events("Bounce") == [] and len(sink.accepted()) == 1
    finally:
        dns.stop()
