"""A message with which the process dies at every start: kill -9 at the moment at which the sink hears
of it and says nothing. It is found out and set aside, other mail goes meanwhile, and it goes when its
file is removed. A process tries suspects only after a minute, so this takes four."""

import pathlib
import re
import threading
import time

from processes import wait_until
from source import restart

STALLED = "RCPT@guilty.test: stall"  # the sink's: its client waits for five minutes


class Executioner:
    """Kills the relay whenever it has a recipient in flight for longer than a moment."""

    def __init__(self, relay):
        self.relay = relay
        self.deaths = []  # ages of the process, in seconds

    def live(self, seconds):
        """Since its start: False when it had to die within so many seconds."""
        begun, since = time.monotonic(), None
        while time.monotonic() - begun < seconds:
            in_flight = self.relay.metric("posthaste_queue_recipients", state="in_flight")
            since = (since or time.monotonic()) if in_flight else None
            if since and time.monotonic() - since > 2:
                self.deaths.append(time.monotonic() - begun)
                self.relay.process.kill()
                return False
            time.sleep(0.05)
        return True


def test_a_message_that_kills_the_process_is_set_aside(make_relay, make_sink):
    sink = make_sink("--rule", STALLED)
    relay = make_relay({"*": sink.port}).start()
    reply = relay.inject(b"Subject: guilty\r\n\r\nx\r\n", "one@guilty.test")
    guilty = re.search(r"[0-9A-HJKMNP-TV-Z]{26}", str(reply)).group()
    wait_until(lambda: relay.metric("posthaste_queue_recipients", state="in_flight"), 20,
               "the message is in hand")
    relay.process.kill()  # the first end
    aside = pathlib.Path(relay.config["node"]["data_dir"]) / "spool/set-aside" / guilty

    law = Executioner(relay)
    for _ in range(2):
        restart(relay)
        assert not law.live(20), "the message did not come in hand"
        assert not aside.exists()
    sent = set()
    for number in range(2):
        # It is held back: mail goes. After a minute it is tried.
        restart(relay)
        killer = threading.Thread(target=lambda: setattr(law, "alive", law.live(100)))
        killer.start()
        assert "was in hand at 3 ends in a row" in relay.process.output()
        sent.add(f"good{number}@good.test")
        relay.inject(b"Subject: good\r\n\r\nx\r\n", f"good{number}@good.test")
        wait_until(lambda: sent <= {one for _, one in sink.accepted()}, 20, "other mail goes")
        killer.join()
        assert not law.alive and law.deaths[-1] > 60, law.deaths
    restart(relay)
    log = relay.process.output()
    assert f"message {guilty} was tried alone and the process died, 2 times" in log, log
    assert aside.is_file()
    wait_until(lambda: relay.metric("posthaste_spool_held_messages", reason="set_aside") == 1, 20,
               "it is counted")
    time.sleep(3)
    assert relay.metric("posthaste_queue_recipients", state="in_flight") == 0
    relay.stop()

    dumped = [line for line in dump(relay).splitlines() if guilty in line and '"message"' in line]
    assert dumped and all('"set_aside":true' in line for line in dumped), dumped
    # A sink that takes it, and the file is removed while the relay runs.
    mended = make_sink()  # it goes on in the same ledger
    for route in relay.config["route"]:
        route["hosts"] = [f"127.0.0.1:{mended.port}"]
    restart(relay)
    time.sleep(2)
    assert {one for _, one in mended.accepted()} == sent
    aside.unlink()
    wait_until(lambda: {one for _, one in mended.accepted()} == sent | {"one@guilty.test"}, 30,
               "it goes")
    relay.stop()


def test_kills_under_load_set_nothing_aside(make_relay, make_sink):
    """The same message in hand at each of sixty kills."""
    sink = make_sink("--rule", STALLED)
    relay = make_relay({"*": sink.port}).start()
    for number in range(20):
        relay.inject(b"Subject: slow\r\n\r\nx\r\n", f"slow{number}@guilty.test")
    for kill in range(60):
        time.sleep(0.3 if kill < 3 else 0.05)
        relay.process.kill()
        restart(relay)
    folder = pathlib.Path(relay.config["node"]["data_dir"]) / "spool/set-aside"
    assert not folder.exists() or not list(folder.iterdir())
    assert relay.metric("posthaste_spool_held_messages", reason="set_aside") == 0
    assert relay.metric("posthaste_spool_held_messages", reason="suspect") > 0, "nothing was in hand"
    relay.process.kill()


def dump(relay):
    import subprocess
    from processes import program
    return subprocess.run([program("posthaste"), "spool", "dump",
                           relay.config["node"]["data_dir"]], check=True, capture_output=True,
                          text=True).stdout
