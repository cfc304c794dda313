"""Egress sources: mail leaves from the addresses that a pool says, directly, by HAProxy's PROXY protocol and by SOCKS5,
and a receiver sees them. The proxies are real: haproxy and microsocks."""

import collections
import datetime
import shutil
import socket
import threading
import time

import pytest

from messages import message
from processes import Process, connects, free_port, wait_until

SOURCES = ["127.0.0.11", "127.0.0.12", "127.0.0.13"]


class Receiver:
    """An SMTP server that notes from which address each message came, and by which name in EHLO."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.taken = []  # (address, name in EHLO)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(connection, peer[0]), daemon=True).start()

    def _session(self, connection, address):
        with connection, connection.makefile("rwb") as stream:
            def say(text):
                stream.write(text.encode() + b"\r\n")
                stream.flush()
            say("220 receiver.test ESMTP")
            name, in_data = "", False
            for line in stream:
                line = line.rstrip(b"\r\n")
                if in_data:
                    if line == b".":
                        in_data = False
                        self.taken.append((address, name))
                        say("250 2.0.0 taken")
                    continue
                word = line[:4].upper()
                if word == b"EHLO":
                    name = line[5:].decode()
                in_data = word == b"DATA"
                say({b"EHLO": "250 receiver.test", b"DATA": "354 go on", b"QUIT": "221 bye"}.get(
                    word, "250 2.0.0 fine"))
                if word == b"QUIT":
                    return

    def by_address(self):
        return collections.Counter(address for address, _ in self.taken)

    def close(self):
        self.listener.close()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


def sources(**each):
    return [dict({"name": f"ip-{i}"}, **{key: value(i) for key, value in each.items()})
            for i in range(1, len(SOURCES) + 1)]


POOL = [{"name": "default", "sources": [{"name": f"ip-{i}", "weight": 1} for i in (1, 2, 3)]}]


def send(relay, count):
    for number in range(count):
        relay.inject(message(f"number {number}", b"text\r\n"), f"u{number}@example.com")
    return relay.wait_for_events("Delivery", count)


def test_three_sources_are_seen_by_the_receiver(make_relay, receiver):
    relay = make_relay({"*": receiver.port}, config={
        "egress_source": sources(address=lambda i: SOURCES[i - 1], ehlo=lambda i: f"out{i}.test"),
        "egress_pool": POOL})
    events = send(relay, 60)
    assert set(receiver.by_address()) == set(SOURCES)
    assert set(receiver.taken) == {(SOURCES[i - 1], f"out{i}.test") for i in (1, 2, 3)}
    told = collections.Counter(event["source_address"]["address"] for event in events)
    assert told == receiver.by_address()
    assert {event["egress_source"] for event in events} == {"ip-1", "ip-2", "ip-3"}
    assert {event["egress_pool"] for event in events} == {"default"}
    relay.stop()


def test_an_address_that_is_not_there_leaves_the_mail_to_the_others(make_relay, receiver):
    relay = make_relay({"*": receiver.port}, config={
        "egress_source": sources(address=lambda i: "192.0.2.77" if i == 2 else SOURCES[i - 1]),
        "egress_pool": POOL})
    events = send(relay, 30)
    assert set(receiver.by_address()) == {SOURCES[0], SOURCES[2]}
    assert not relay.events("TransientFailure")
    assert {event["num_attempts"] for event in events} == {1}
    assert 'egress source "ip-2" is not used for 60 s: binding 192.0.2.77' in relay.process.output()
    relay.stop()


def start_haproxy(folder, ports):
    """Takes the PROXY header, and connects to where it says, from an address for each port: as root it could use that of the
    header (`usesrc clientip`), which a container may not."""
    parts = ["global\n    maxconn 200\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n"
             "    timeout server 60s\n"]
    for port, address in zip(ports, SOURCES):
        parts.append(f"listen out{port}\n    bind 127.0.0.1:{port} accept-proxy\n"
                     f"    acl ours src {address}\n    tcp-request session reject if !ours\n"
                     f"    source {address}\n    server there 0.0.0.0\n")
    config = folder / "haproxy.cfg"
    config.write_text("".join(parts))
    proxy = Process([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", config], folder / "haproxy.log",
                    name="haproxy")
    wait_until(lambda: all(connects(port) for port in ports), 20, "haproxy listens")
    return proxy


def test_mail_goes_by_the_proxy_protocol(make_relay, receiver, tmp_path):
    ports = [free_port() for _ in SOURCES]
    proxy = start_haproxy(tmp_path, ports)
    relay = make_relay({"*": receiver.port}, config={
        "egress_source": sources(ha_proxy_server=lambda i: f"127.0.0.1:{ports[i - 1]}",
                                 ha_proxy_source_address=lambda i: SOURCES[i - 1]),
        "egress_pool": POOL})
    events = send(relay, 60)
    assert set(receiver.by_address()) == set(SOURCES)
    told = collections.Counter(event["source_address"]["address"] for event in events)
    assert told == receiver.by_address()
    relay.stop()
    proxy.stop()


def start_microsocks(folder, port, address):
    return Process([shutil.which("microsocks") or "/usr/bin/microsocks", "-i", "127.0.0.1", "-p", str(port), "-b", address],
                   folder / f"microsocks-{port}.log", name="microsocks")


def test_mail_goes_by_socks5_and_by_others_when_a_proxy_is_down(make_relay, receiver, tmp_path):
    ports = [free_port() for _ in SOURCES]
    proxies = [start_microsocks(tmp_path, port, address) for port, address in zip(ports, SOURCES)]
    wait_until(lambda: all(connects(port) for port in ports), 20, "microsocks listens")
    relay = make_relay({"*": receiver.port}, config={
        "egress_source": sources(socks5_proxy_server=lambda i: f"127.0.0.1:{ports[i - 1]}"),
        "egress_pool": POOL})
    send(relay, 60)
    assert set(receiver.by_address()) == set(SOURCES)
    proxies[0].kill()
    before = receiver.by_address()[SOURCES[0]]
    for number in range(60, 90):
        relay.inject(message(f"number {number}", b"text\r\n"), f"u{number}@example.com")
    relay.wait_for_events("Delivery", 90)
    assert len(receiver.taken) == 90
    assert receiver.by_address()[SOURCES[0]] <= before + 1
    assert f"connecting to the proxy 127.0.0.1:{ports[0]}" in relay.process.output()
    relay.stop()
    for proxy in proxies[1:]:
        proxy.stop()


def test_a_receiver_that_socks5_cannot_reach_is_at_fault_itself(make_relay, tmp_path):
    port = free_port()
    proxy = start_microsocks(tmp_path, port, SOURCES[0])
    wait_until(lambda: connects(port), 20, "microsocks listens")
    relay = make_relay({"*": free_port()}, config={
        "egress_source": [{"name": "default", "socks5_proxy_server": f"127.0.0.1:{port}"}]})
    relay.inject(message("nobody", b"text\r\n"), "u@example.com")
    failure = relay.wait_for_events("TransientFailure", 1)[0]
    assert failure["num_attempts"] == 1
    assert "the proxy says: connection refused" in failure["response"]["content"]
    relay.stop()
    proxy.stop()


def test_a_warm_up_stays_within_its_plan_over_restarts_and_kill_9(make_relay, receiver):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    relay = make_relay({"*": receiver.port}, config={
        "egress_source": sources(address=lambda i: SOURCES[i - 1]),
        "egress_pool": [{"name": "default", "sources": [{"name": "ip-1"}]}, {"name": "old", "sources": [{"name": "ip-2"}]}],
        "warmup": [{"source": "ip-1", "start": today, "plan": [40, 40], "overflow": "old"}]})
    sent = 0
    warm = []
    for end in ("kill", "stop", "stop"):
        for i in range(60):
            if i % 10 == 0:
                time.sleep(0.4)  # a burst gets what was reserved in the file, which takes 200 ms
            relay.inject(message(f"number {sent}", b"text\r\n"), f"u{sent}@example.com")
            sent += 1
        wait_until(lambda: len(receiver.taken) >= sent, 60, "all is taken")
        warm.append(receiver.by_address()[SOURCES[0]])
        getattr(relay.process if end == "kill" else relay, end)()
        if len(warm) < 3:
            relay.start(log=f"relay{len(warm)}.log")
    assert 0 < warm[0] <= warm[1] <= warm[2] <= 40, warm
    assert set(receiver.by_address()) == set(SOURCES[:2])
    assert (relay.folder / "data/warmup").read_text().splitlines()[1] == f"{(today - datetime.date(1970, 1, 1)).days} clean"
