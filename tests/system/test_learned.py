"""What a receiver showed survives the process, also SIGKILL: a count above which it answers 421 is known to the next one."""

import threading
import time

from hostile import ScriptedServer, honest
from messages import message
from processes import wait_until

CAP = 3


class CappedServer(ScriptedServer):
    """Takes CAP connections and answers 421 to others; 200 ms for a message."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open = 0
        super().__init__(self.talk)

    def talk(self, talk):
        with self.lock:
            full = self.open >= CAP
            self.open += not full
        if full:
            talk.say(b"421 4.3.2 too many connections\r\n")
            return

        def say(octets):
            if octets.startswith(b"250 2.0.0"):
                time.sleep(0.2)
            talk.say(octets)

        try:
            honest(talk, say)
        finally:
            with self.lock:
                self.open -= 1


def test_a_cap_is_known_after_sigkill(make_relay):
    server = CappedServer()
    try:
        relay = make_relay(routes={"*": server.port},
                           config={"node": {"shards": 1},
                                   "shaping": {"default": {"max_deliveries_per_connection": 2}}})
        content = message("learned", b"hello\r\n")
        kept = relay.folder / "data" / "learned"
        for part in range(450):
            relay.inject(content, f"single{part}@there.test")
        wait_until(lambda: kept.exists() and f"w {CAP + 1} " in kept.read_text(), 90,
                   "the cap is learned and kept")
        relay.process.kill()
        relay.start(log="second.log")
        # To learn it anew takes more than twenty seconds.
        wait_until(lambda: relay.metric("posthaste_path_window") == CAP, 5, "the cap is known")
        relay.wait_until_empty(120)
    finally:
        server.stop()
