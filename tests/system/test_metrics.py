"""What a scrape says: well-formed for Prometheus, with the promised names, and true."""

import subprocess
import urllib.request

from messages import message
from relay import IO_BACKEND, inject_with


def test_promtool_accepts_the_scrape(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    relay.inject(message("counted", b"hello\r\n"), "reader@sink.test")
    relay.wait_for_events("Delivery", 1)
    with urllib.request.urlopen(f"http://127.0.0.1:{relay.http_port}/metrics") as reply:
        assert reply.headers["Content-Type"].startswith("text/plain")
        text = reply.read()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promised_names_are_there(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    relay.inject(message("named", b"hello\r\n"), "reader@sink.test")
    relay.wait_for_events("Delivery", 1)
    names = {series.partition("{")[0] for series in relay.metrics()}
    for name in ("messages_received_total", "deliveries_total", "connections_open",
                 "connections_total", "queue_recipients", "queue_oldest_seconds",
                 "delivery_seconds_bucket", "delivery_seconds_count", "io_backend_info",
                 "build_info", "shard_busy_ratio"):
        assert f"posthaste_{name}" in names, sorted(names)


def test_counts_are_true(make_relay, make_sink):
    """60 delivered, 20 bounced, 10 deferred and waiting; all shards summed."""
    sink = make_sink("--rule", "RCPT@no.test: 550 5.1.1 unknown",
                     "--rule", "RCPT@later.test: 450 4.2.1 later")
    relay = make_relay({"*": sink.port}, config={"retry": {"intervals": ["30m"]}})
    for session in range(3):  # several connections meet several shards
        with relay.client() as client:
            client.ehlo()
            for domain, count in (("yes.test", 60), ("no.test", 20), ("later.test", 10)):
                for i in range(session, count, 3):
                    inject_with(client, message(f"{domain}-{i}", b"x\r\n"), f"r{i}@{domain}")
    relay.wait_for_events("Delivery", 60)
    relay.wait_for_events("Bounce", 20)
    relay.wait_for_events("TransientFailure", 10)
    assert relay.metric("posthaste_messages_received_total", protocol="smtp") == 90
    for outcome, count in {"delivered": 60, "bounced": 20, "deferred": 10, "expired": 0}.items():
        assert relay.metric("posthaste_deliveries_total", outcome=outcome) == count, outcome
    assert relay.metric("posthaste_queue_recipients", state="scheduled") == 10
    assert relay.metric("posthaste_queue_recipients") == 10
    assert relay.metric("posthaste_delivery_seconds_count") >= 60
    backend = IO_BACKEND or "io_uring"
    assert relay.metric("posthaste_io_backend_info", backend=backend) == 1


def test_refusals_are_counted(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, smtp={"max_message_size": "64KiB"})
    with relay.client() as client:
        client.ehlo()
        assert client.mail("news@sender.test", ["SIZE=100000"])[0] == 552
    assert relay.metric("posthaste_messages_rejected_total", protocol="smtp") == 1
    rejection = relay.wait_for_events("Rejection", 1)[0]
    assert rejection["response"]["code"] == 552
