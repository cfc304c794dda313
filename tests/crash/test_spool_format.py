"""A real spool, decoded by a reader that was written from docs/spool-format.md alone."""

import time

from processes import wait_until
from relay import inject_with
from source import Source, restart
from spool_format import read_spool


def test_a_spool_can_be_read_from_its_document(make_relay, make_sink):
    # Stragglers among much mail that goes at once: segments rotate, are recycled and compacted.
    sink = make_sink("--rule", "RCPT@slow.test: 451 4.7.1 come back later")
    relay = make_relay({"*": sink.port}, {"retry": {"intervals": ["1h"], "max_age": "5d"}}).start()
    kept = {}
    begun = time.time_ns()
    source = Source(relay.smtp_port, ["good.test"], size=4000).run()
    for number in range(40):
        content = b"Subject: %d\r\n\r\n.dot\r\n..dots\r\n" % number + (b"y" * 60 + b"\r\n") * number
        recipients = [f"a{number}@slow.test", f"b{number}@good.test", f"c{number}@slow.test"]
        with relay.client() as client:
            client.ehlo()
            inject_with(client, content, recipients, "news@sender.test")
        for one in (recipients[0], recipients[2]):
            kept[one] = content
        time.sleep(0.1)
    source.stop()
    wait_until(lambda: relay.metric("posthaste_queue_recipients") == len(kept), 60,
               "the rest is delivered")
    time.sleep(1)
    moved = relay.metric("posthaste_spool_moved_bytes_total")
    relay.stop()

    found = {}
    for message in read_spool(relay.folder / "data/spool"):
        for recipient in message.recipients.values():
            assert recipient.address not in found, "twice"
            found[recipient.address] = message, recipient
    assert set(found) == set(kept)
    for address, (message, recipient) in found.items():
        assert message.sender == "news@sender.test"
        assert message.content.startswith(b"Received: ") and message.content.endswith(kept[address])
        assert message.dots == 2
        assert begun <= message.created <= time.time_ns()
        assert recipient.attempts == 1
        hour = 3600 * 10**9
        assert begun + 0.85 * hour < recipient.next_attempt < time.time_ns() + 1.15 * hour
        assert recipient.reply == (451, (4, 7, 1), "come back later", "RCPT"), recipient.reply
    print(f"\n{len(found)} recipients live, {moved:.0f} octets moved")

    restart(relay)  # the program sees the same
    wait_until(lambda: relay.metric("posthaste_queue_recipients") == len(kept), 20, "it recovers")
    relay.stop()
