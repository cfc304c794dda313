"""Receivers that stop reading in the middle of a message and send replies all the time, in small
segments (H2): what they hold is bounded, and honest mail does not notice them."""

import contextlib
import selectors
import socket
import threading
import time

import pytest

from messages import message
from processes import sanitized, wait_until

pytestmark = pytest.mark.hostile
FACTOR = 4 if sanitized() else 1
RECEIVERS = 130
SEGMENT = 536  # the least that IPv4 asks for
LARGE = 4 << 20
HELD_BY_SERVERS = 16 << 20  # docs/limits.md: "copied input that all connections of a shard hold"


class DeafReceivers:
    """SMTP servers at 127.0.1.1 and so on, one port. Each is polite up to 354, then takes nothing any
    more and sends replies as long as there is room for them."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self.listener.bind(("0.0.0.0", 0))
        self.listener.listen(512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.deaf = set()  # addresses of ours, with a connection that got as far as the content
        self.flooded = 0   # octets
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def address(self, number):
        return f"127.0.{1 + number // 200}.{1 + number % 200}"

    def _serve(self):
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.listener, selectors.EVENT_READ)
            while not self.stopping.is_set():
                for key, _ in waiting.select(0.05):
                    if key.fileobj is self.listener:
                        self._accept(waiting)
                    else:
                        with contextlib.suppress(BlockingIOError):
                            self._talk(waiting, key)

    def _accept(self, waiting):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.send(b"220 deaf.test ESMTP\r\n")
        waiting.register(connection, selectors.EVENT_READ, data=bytearray())

    def _talk(self, waiting, key):
        connection, heard = key.fileobj, key.data
        try:
            if heard is None:
                self.flooded += connection.send(b"250 2.0.0 and again\r\n" * 25)
                return
            octets = connection.recv(4096)
            heard += octets
        except ConnectionError:
            octets = b""
        if not octets:
            waiting.unregister(connection)
            connection.close()
            return
        while heard is not None and b"\r\n" in heard:
            line, _, rest = bytes(heard).partition(b"\r\n")
            heard[:] = rest
            connection.send(b"354 go on\r\n" if line == b"DATA" else b"250 2.0.0 ok\r\n")
            if line == b"DATA":
                self.deaf.add(connection.getsockname()[0])
                waiting.modify(connection, selectors.EVENT_WRITE, data=None)
                return

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.listener.close()


@pytest.fixture
def receivers():
    made = DeafReceivers()
    yield made
    made.stop()


@pytest.mark.parametrize("shards", [1, 2])
def test_receivers_with_small_segments_that_never_read(make_relay, make_sink, receivers, shards):
    """H2: the kernel filled the receive buffers of a shard with their replies, and nobody was read."""
    sink = make_sink()
    routes = {f"deaf{number}.test": f"{receivers.address(number)}:{receivers.port}"
              for number in range(RECEIVERS)}
    relay = make_relay({**routes, "*": sink.port}, config={"node": {"shards": shards}})

    def deliver(name):
        """How long an honest message takes."""
        begun = time.monotonic()
        relay.inject(message(name, b"served as usual\r\n"), f"{name}@sink.test")
        wait_until(lambda: f"{name}@sink.test" in [one for _, one in sink.accepted()], 60 * FACTOR,
                   f"{name} is delivered in spite of those who do not read")
        return time.monotonic() - begun

    deliver("before")
    descriptors = relay.metric("process_open_fds")
    memory = relay.process.memory()
    large = message("large", b"0123456789" * 90 + b"\r\n" + (b"x" * 900 + b"\r\n") * (LARGE // 902))
    relay.inject(large, [f"reader@deaf{number}.test" for number in range(RECEIVERS)])
    wait_until(lambda: len(receivers.deaf) == RECEIVERS, 60 * FACTOR, "all of them have gone deaf")
    times = [deliver(f"during{number}") for number in range(20)]
    print(f"{shards} shards: honest mail {max(times):.2f} s at most, "
          f"{(relay.process.memory() - memory) >> 20} MiB more, "
          f"{relay.metric('posthaste_io_held_input_bytes') / (1 << 20):.1f} MiB held, "
          f"{receivers.flooded >> 20} MiB of replies")
    assert max(times) < 5 * FACTOR  # a shard that read nobody kept it for a minute and more
    assert receivers.flooded > 1 << 20
    assert relay.metric("posthaste_io_held_input_bytes") <= shards * HELD_BY_SERVERS
    assert relay.metric("process_open_fds") <= descriptors + RECEIVERS + 20
    if not sanitized():
        assert relay.process.memory() - memory < (64 << 20) + RECEIVERS * (256 << 10)
    assert relay.get("/healthz")[0] == 200
    begun = time.monotonic()
    relay.stop()
    assert time.monotonic() - begun < 32 * FACTOR
