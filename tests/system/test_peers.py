"""Delivery to real mail servers: what arrives is what was injected, octet for octet, but for the trace
headers added on the way; many messages share a connection; nothing is lost or delivered twice."""

import collections

import pytest

from messages import SAMPLES, assert_identical, message, sample_name, trace_of
from peers.courier import Courier
from peers.exim import Exim
from peers.haraka import Haraka
from peers.opensmtpd import Opensmtpd
from peers.postfix import Postfix
from peers.sendmail import Sendmail
from processes import wait_until
from relay import inject_with, settle

SERVERS = [Postfix, Exim, Opensmtpd, Sendmail, Courier, Haraka]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.name)
def server(request, tmp_path_factory):
    peer = request.param(tmp_path_factory.mktemp("peer"))
    try:
        yield peer.start()
    finally:
        peer.stop()


@pytest.fixture
def peer(server):
    server.clear()
    return server


def names_stored(peer, prefix, count):
    """How often each message of this prefix was stored; waits for so many. What another test's
    message comes to (some servers store one copy per recipient, some later) does not disturb."""
    def stored():
        return collections.Counter(name for name in map(sample_name, peer.messages())
                                   if name.startswith(prefix))

    wait_until(lambda: stored().total() >= count, 60, f"{peer.name} stored {count} of {prefix}")
    settle()
    return stored()


def test_every_octet_arrives(peer, make_relay):
    relay = make_relay({peer.domain: peer.port})
    with relay.client() as client:
        client.ehlo()
        for content in SAMPLES.values():
            inject_with(client, content, f"reader@{peer.domain}", options=["BODY=8BITMIME"])
    peer.wait_for(len(SAMPLES))
    wait_until(lambda: set(SAMPLES) <= {sample_name(m) for m in peer.messages()}, 60,
               "every sample is stored")
    arrived = {sample_name(m): m for m in peer.messages()}
    for name, sent in SAMPLES.items():
        assert_identical(sent, arrived[name])
        received = [line for line in trace_of(arrived[name]) if line.startswith(b"Received:")]
        ours = [line for line in received if b"by relay.test" in line]
        assert len(ours) == 1, f"{name} has {len(ours)} Received headers of ours: {received}"
        assert b"from client.test" in ours[0] and b"with ESMTP" in ours[0], ours[0]


def test_many_messages_over_one_connection(peer, make_relay):
    """100 messages, one connection: the group that ends one message and begins the next, in every
    state of the pool (none waiting, some waiting, the last)."""
    relay = make_relay({peer.domain: peer.port}, config={"shaping": {"default": {
        "connection_limit": 1, "max_deliveries_per_connection": 1000}}})
    count = 100
    with relay.client() as client:
        client.ehlo()
        for i in range(count):
            inject_with(client, message(f"many-{i}", b".line %d\r\n" % i * (i % 40)),
                        f"reader{i}@{peer.domain}")
    relay.wait_for_events("Delivery", count, 60)
    assert names_stored(peer, "many-", count) == {f"many-{i}": 1 for i in range(count)}
    opened = relay.metric("posthaste_connections_total")
    assert 1 <= opened <= 4, f"{opened} connections for {count} messages"
    assert not relay.events("TransientFailure") and not relay.events("Bounce")


def test_many_recipients_of_one_message(peer, make_relay):
    relay = make_relay({peer.domain: peer.port})
    readers = [f"reader{i}@{peer.domain}" for i in range(40)]
    relay.inject(message("shared", b"for all of you\r\n"), readers)
    delivered = relay.wait_for_events("Delivery", len(readers))
    assert collections.Counter(e["recipient"] for e in delivered) == collections.Counter(readers)
    assert names_stored(peer, "shared", 1)
    for stored in peer.messages():
        if sample_name(stored) == "shared":
            assert_identical(message("shared", b"for all of you\r\n"), stored)


def test_a_burst_over_several_connections(peer, make_relay):
    """More backlog than connections; each message once."""
    relay = make_relay({peer.domain: peer.port}, config={"shaping": {"default": {
        "connection_limit": 4, "max_deliveries_per_connection": 7}}})
    count = 120
    with relay.client() as client:
        client.ehlo()
        for i in range(count):
            inject_with(client, message(f"burst-{i}", b"x" * 70 + b"\r\n"), f"r{i}@{peer.domain}")
    relay.wait_for_events("Delivery", count, 60)
    assert names_stored(peer, "burst-", count) == {f"burst-{i}": 1 for i in range(count)}


def test_the_servers_refusal_is_final(peer, make_relay):
    """A recipient that the server does not take gets a 5xx there and a Bounce here, once."""
    relay = make_relay({"*": peer.port})
    relay.inject(message("refused", b"no\r\n"), "someone@not-here.test")
    bounce = relay.wait_for_events("Bounce", 1)[0]
    assert bounce["recipient"] == "someone@not-here.test"
    assert 500 <= bounce["response"]["code"] < 600, bounce
    settle()
    assert len(relay.events("Bounce")) == 1 and not relay.events("Delivery")
