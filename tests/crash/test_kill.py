"""kill -9 at random moments under load, with deferrals, dropped connections and changing numbers of
shards. The client knows what was answered 250, the sink's ledger what arrived. Nobody who was
accepted may be lost; who arrived twice had its first arrival in the last moments before a kill.
POSTHASTE_CRASH_SECONDS (150) bounds the time, POSTHASTE_CRASH_KILLS (300) the number of kills."""

import bisect
import collections
import os
import random
import re
import time

from processes import sanitized, wait_until
from source import Source, restart

SECONDS = float(os.environ.get("POSTHASTE_CRASH_SECONDS", "150"))
KILLS = int(os.environ.get("POSTHASTE_CRASH_KILLS", "300"))

# An outcome waits 5 ms for a message to share its write, then for one write before it and its own.
# On a machine that does other things too, each of these may take long.
LAST_MOMENTS = 2.0 if sanitized() else 1.0

SLOWEST_DRAIN = 300  # recipients a second, through ten connections to a server like this:

RULES = ["RCPT@slow.test: 451 4.7.1 later; chance 40%", "DOT: drop; chance 1%",
         "DOT: reset; chance 1%", "CONNECT: 421 4.3.2 busy; chance 3%", "MAIL: drop; chance 1%"]


def last_ledger(sink):
    """{recipient: [(unix seconds, acknowledged?)]} of the whole ledger."""
    found = collections.defaultdict(list)
    for line in sink.ledger_file.read_text().splitlines():
        _, recipient, when, how = line.split("\t")
        found[recipient].append((float(when), how == "acknowledged"))
    return found


def kill_under_load(relay, source, seconds, kills):
    """Starts and kills the relay; the moments of the kills."""
    moments, deadline = [], time.monotonic() + seconds
    while len(moments) < kills and time.monotonic() < deadline:
        relay.config["node"]["shards"] = random.choice((1, 2, 2, 3))
        restart(relay)
        time.sleep(random.choice((0.0, 0.02, 0.1, 0.3, 0.6)) * random.random() + 0.005)
        # Not while it is still opening its files only: also then, but not always.
        moments.append(time.time())
        relay.process.kill()
        log = relay.process.output()
        assert "posthaste: bug" not in log and "skipped" not in log, log[-3000:]
    return moments


def drain(relay, source):
    relay.config["node"]["shards"] = 2
    restart(relay)
    time.sleep(0.5)
    source.stop()
    wait_until(lambda: re.search(r"recovered|ready", relay.process.output()), 30, "it recovers")
    # The server refuses and drops connections, and a slow disk leaves much to be delivered now.
    waiting = relay.metric("posthaste_queue_recipients")
    wait_until(lambda: relay.metric("posthaste_queue_recipients") == 0 and time.sleep(1) is None
               and relay.metric("posthaste_queue_recipients") == 0, 120 + waiting / SLOWEST_DRAIN,
               f"the queue of {waiting:.0f} recipients is empty")
    relay.stop()


def test_nothing_accepted_is_lost(make_relay, make_sink):
    sink = make_sink(*[part for rule in RULES for part in ("--rule", rule)])
    relay = make_relay({"*": sink.port}, {"retry": {"intervals": ["200ms", "500ms", "1s"],
                                                    "max_age": "1h"}})
    source = Source(relay.smtp_port, ["good.test", "good.test", "slow.test"]).run()
    moments = kill_under_load(relay, source, SECONDS, KILLS)
    drain(relay, source)
    sink.stop()

    ledger = last_ledger(sink)
    lost = [one for one in source.accepted if one not in ledger]
    twice = {one: takes for one, takes in ledger.items()
             if sum(acknowledged for _, acknowledged in takes) > 1}
    foreign = [one for one in ledger if one not in source.sent]
    late = []
    for recipient, takes in twice.items():
        # Each arrival that was repeated came shortly before a kill.
        acknowledged = [when for when, told in takes if told]
        for when in acknowledged[:-1]:
            after = bisect.bisect_left(moments, when - 0.05)
            gap = moments[after] - when if after < len(moments) else float("inf")
            late.append((gap, recipient))
    worst = max(late, default=(0.0, "nobody"))
    unanswered = sum(1 for one in ledger if one not in source.accepted)
    print(f"\n{len(moments)} kills, {len(source.accepted)} recipients accepted, {len(lost)} lost, "
          f"{len(twice)} twice (first at most {worst[0] * 1000:.0f} ms before a kill), "
          f"{unanswered} delivered that were not answered, {len(source.refused)} refused")
    assert not lost, f"{len(lost)} of {len(source.accepted)} are lost: {lost[:20]}"
    assert not foreign, foreign[:20]
    assert worst[0] < LAST_MOMENTS, f"{worst[1]} was delivered {worst[0]:.2f} s before the next " \
                                    f"kill, and again"
    # In the last moments before a kill a relay delivers a few hundred at most.
    assert len(twice) <= 100 * len(moments)
    assert len(source.accepted) > 20 * len(moments), "too little load to prove anything"
    assert len(moments) >= min(KILLS, SECONDS / 4)


def test_a_kill_while_it_recovers(make_relay, make_sink):
    """Mail that cannot go is accepted once; then the relay dies again and again while it reads it."""
    sink = make_sink()
    config = {"retry": {"intervals": ["1s", "2s"], "max_age": "1h"}}
    relay = make_relay({"*": 9}, config).start()  # nobody listens there
    source = Source(relay.smtp_port, ["good.test"], size=4000).run()
    time.sleep(3)
    source.stop()
    relay.process.kill()
    for _ in range(25):
        restart(relay, wait=False)
        time.sleep(random.random() * 0.15)
        relay.process.kill()
        assert "skipped" not in relay.process.output(), relay.process.output()
    for route in relay.config["route"]:
        route["hosts"] = [f"127.0.0.1:{sink.port}"]
    restart(relay)
    sink_has = wait_until(lambda: len(set(sink.accepted())) >= len(source.accepted) and
                          sink.accepted(), 90, "all of it is delivered")
    arrived = [recipient for _, recipient in sink_has]
    assert set(source.accepted) <= set(arrived)
    assert len(arrived) == len(set(arrived)), "delivered twice"
    relay.stop()


def test_a_second_process_is_refused(make_relay, make_sink, tmp_path, ended):
    sink = make_sink()
    relay = make_relay({"*": sink.port}).start()
    from relay import Relay
    other = ended(Relay(tmp_path / "other", {"*": sink.port}, config={
        "spool": {"durability": "commit"},
        "node": {"data_dir": relay.config["node"]["data_dir"]}}))
    other.start(wait=False)
    assert other.process.wait(20) != 0
    assert "is in use by another process" in other.process.output()
    relay.inject(b"Subject: x\r\n\r\nx\r\n", "a@good.test")  # the first one is well
    sink.wait_for(1)
    relay.stop()
    restart(relay)  # and leaves the lock behind when it ends
    relay.stop()
