"""A restart without a refused connection (U6): sockets of systemd, and a process that takes over.

The clients do not retry: what fails once is lost to them."""

import contextlib
import http.client
import json
import smtplib
import socket
import threading
import time

from messages import message


class Campaign:
    """Sends one message after the other, each tried once, until the block ends."""

    most = 20_000

    def __init__(self, send):
        self.send, self.accepted, self.failures = send, [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        for number in range(self.most):
            if self.ended.is_set():
                return
            name = f"n{number}"
            try:
                self.send(name)
                self.accepted.append(name)
            except (OSError, smtplib.SMTPException, http.client.HTTPException) as error:
                self.failures.append((name, repr(error)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def by_smtp(port):
    """A connection for each message."""

    def send(name):
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=60) as client:
            client.sendmail("news@client.test", [f"s{name}@sink.test"], message(name, b"hello\r\n"))

    return send


def by_http(port):
    """A connection for all messages, opened again where the server says close."""
    state = {"connection": None}

    def send(name):
        if state["connection"] is None:
            state["connection"] = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection = state["connection"]
        body = json.dumps({"envelope_sender": "news@client.test",
                           "recipients": [{"email": f"h{name}@sink.test"}],
                           "content": "Subject: hello\n\nhello\n"})
        connection.request("POST", "/api/inject/v1", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.will_close:
            connection.close()
            state["connection"] = None
        if reply.status != 200:
            raise http.client.HTTPException(f"{reply.status} {text}")

    return send


def expect_all_once(sink, campaigns):
    """Everything that was accepted arrived, nothing twice, and nothing was refused."""
    names = []
    for prefix, campaign in campaigns:
        assert campaign.failures == []
        assert len(campaign.accepted) > 20
        names += [f"{prefix}{name}" for name in campaign.accepted]
    sink.wait_for(len(names))
    assert sorted(recipient.split("@")[0] for _, recipient in sink.accepted()) == sorted(names)


def listening(port):
    passed = socket.socket()
    passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    passed.bind(("127.0.0.1", port))
    passed.listen(4096)
    passed.setblocking(False)  # as systemd passes them
    return passed


def test_sockets_that_systemd_holds_refuse_nobody_over_restarts(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, start=False)
    with contextlib.ExitStack() as stack:
        passed = [stack.enter_context(listening(port)) for port in (relay.smtp_port, relay.http_port)]
        relay.start(sockets=passed)
        with Campaign(by_smtp(relay.smtp_port)) as smtp, Campaign(by_http(relay.http_port)) as web:
            for number in range(3):
                time.sleep(0.5)
                relay.stop()
                relay.start(sockets=passed, log=f"relay{number}.log")
            time.sleep(0.5)
        expect_all_once(sink, [("s", smtp), ("h", web)])


def test_a_process_that_takes_over_refuses_nobody(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    with Campaign(by_smtp(relay.smtp_port)) as smtp, Campaign(by_http(relay.http_port)) as web:
        for number, shards in enumerate((2, 3, 1)):  # more sockets than shards, and fewer
            time.sleep(0.5)
            before = relay.process
            relay.config["node"]["shards"] = shards
            relay.start(options=["--take-over"], log=f"relay{number}.log")
            assert before.wait() == 0
            assert "handed over" in before.output()
        time.sleep(0.5)
    expect_all_once(sink, [("s", smtp), ("h", web)])


def test_a_client_in_the_middle_of_its_message_may_finish_it(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30) as client:
        client.ehlo("client.test")
        assert client.mail("news@client.test")[0] == 250
        before = relay.process
        relay.start(wait=False, options=["--take-over"], log="next.log")
        before.wait_for_output("handed over")
        assert client.rcpt("one@sink.test")[0] == 250
        assert client.data(message("one", b"hello\r\n"))[0] == 250
        assert client.mail("news@client.test")[0] == 250  # and begin another one
        assert client.rcpt("two@sink.test")[0] == 250
        assert client.data(message("two", b"hello\r\n"))[0] == 250
    assert before.wait() == 0
    relay.process.wait_for_output("ready")
    assert sorted(recipient for _, recipient in sink.wait_for(2)) == ["one@sink.test", "two@sink.test"]


def test_taking_over_where_nobody_serves_is_a_start_like_any_other(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, start=False)
    relay.start(options=["--take-over"])
    assert "nobody serves" in relay.process.output()
    relay.inject(message("one", b"hello\r\n"), "one@sink.test")
    sink.wait_for(1)
    relay.process.kill()  # its name in the data directory stays
    relay.start(options=["--take-over"], log="next.log")
    relay.inject(message("two", b"hello\r\n"), "two@sink.test")
    sink.wait_for(2)


def test_whoever_connects_and_is_silent_takes_nothing(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    with contextlib.ExitStack() as stack:
        for said in (b"", b"give me all\n"):
            stranger = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            stranger.settimeout(10)
            stranger.connect(str(relay.folder / "data/handover.sock"))
            if said:
                stranger.send(said)
            assert stranger.recv(100) == b""  # after a second
        relay.inject(message("one", b"hello\r\n"), "one@sink.test")
        sink.wait_for(1)
        before = relay.process
        relay.start(options=["--take-over"], log="next.log")
        assert before.wait() == 0


def test_a_passed_socket_that_no_listener_names_is_said(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, start=False)
    with listening(0) as other:
        relay.start(sockets=[other])
        relay.process.wait_for_output(f"a socket for 127.0.0.1:{other.getsockname()[1]} was passed")
    relay.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as no_listener:
        relay.start(wait=False, sockets=[no_listener], log="next.log")
        assert relay.process.wait() == 1
        assert "no listening TCP socket" in relay.process.output()
