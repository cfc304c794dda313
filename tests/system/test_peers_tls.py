"""Delivery to real mail servers over STARTTLS with verified certificates: octets, many messages over
one connection, resumption by a second relay connection, and what happens when the name is wrong."""

import collections

import pytest

from certificates import Authority
from messages import SAMPLES, assert_identical, message, sample_name
from peers.courier import Courier
from peers.exim import Exim
from peers.haraka import Haraka
from peers.opensmtpd import Opensmtpd
from peers.postfix import Postfix
from peers.sendmail import Sendmail
from processes import wait_until
from relay import inject_with

SERVERS = [Postfix, Exim, Sendmail, Courier, Haraka]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.name)
def peer(request, authority, tmp_path_factory):
    server = request.param
    made = server(tmp_path_factory.mktemp("peer"), authority.issue(f"mx.{server.name}.test"))
    try:
        yield made.start()
    finally:
        made.stop()


def route(peer, authority, **more):
    return {"route": [{"domain": peer.domain, "hosts": [f"127.0.0.1:{peer.port}"], "tls": "verify",
                       "tls_name": f"mx.{peer.domain}", "tls_ca_file": str(authority.file), **more}]}


def test_every_octet_arrives_encrypted(peer, authority, make_relay):
    peer.clear()
    relay = make_relay(config=route(peer, authority))
    with relay.client() as client:
        client.ehlo()
        for content in SAMPLES.values():
            inject_with(client, content, f"reader@{peer.domain}", options=["BODY=8BITMIME"])
    for event in relay.wait_for_events("Delivery", len(SAMPLES), 60):
        assert event["tls_protocol_version"] in ("TLSv1.3", "TLSv1.2"), event
        assert event["tls_cipher"], event
    wait_until(lambda: set(SAMPLES) <= {sample_name(m) for m in peer.messages()}, 60,
               "every sample is stored")
    arrived = {sample_name(m): m for m in peer.messages()}
    for name, sent in SAMPLES.items():
        assert_identical(sent, arrived[name])
    assert relay.metric("posthaste_tls_sessions_total", policy="verify", result="verified") >= 1


def test_many_messages_over_one_encrypted_connection(peer, authority, make_relay):
    peer.clear()
    relay = make_relay(config=route(peer, authority) | {"shaping": {"default": {
        "connection_limit": 1, "max_deliveries_per_connection": 1000}}})
    count = 60
    with relay.client() as client:
        client.ehlo()
        for i in range(count):
            inject_with(client, message(f"tls-{i}", b".line %d\r\n" % i * (i % 40)),
                        f"reader{i}@{peer.domain}")
    relay.wait_for_events("Delivery", count, 60)

    def stored():
        return collections.Counter(name for name in map(sample_name, peer.messages())
                                   if name.startswith("tls-"))

    wait_until(lambda: stored().total() >= count, 60, f"{peer.name} stored {count}")
    assert stored() == {f"tls-{i}": 1 for i in range(count)}
    assert not relay.events("TransientFailure") and not relay.events("Bounce")


def test_a_wrong_name_keeps_the_mail_here(peer, authority, make_relay):
    relay = make_relay(config=route(peer, authority, tls_name="mx.elsewhere.test"))
    relay.inject(message("never", b"no\r\n"), f"reader@{peer.domain}")
    failure = relay.wait_for_events("TransientFailure", 1)[0]
    assert "hostname mismatch" in failure["response"]["content"], failure
    assert not relay.events("Delivery")


def test_opensmtpd_whose_tls_is_broken_gets_clear_text(authority, make_relay, tmp_path):
    """OpenSMTPD 6.8 of Debian 12 offers STARTTLS and cannot sign with OpenSSL 3 ("missing private
    key"): the handshake fails, mail goes over a new connection in clear text, nothing is deferred."""
    peer = Opensmtpd(tmp_path, authority.issue("mx.opensmtpd.test"))
    try:
        peer.start()
        relay = make_relay({peer.domain: peer.port})
        for i in range(3):
            relay.inject(message(f"clear-{i}", b"yes\r\n"), f"reader@{peer.domain}")
        for event in relay.wait_for_events("Delivery", 3):
            assert event["tls_cipher"] is None, event
        assert not relay.events("TransientFailure")
        assert relay.metric("posthaste_tls_sessions_total", result="failed") >= 1
        peer.wait_for(3)
    finally:
        peer.stop()
