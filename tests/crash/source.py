"""A client that keeps books: it injects over SMTP from several threads, through every death of the
relay, and knows which recipients were answered 250."""

import random
import socket
import threading
import time


def restart(relay, wait=True):
    """Starts it again, with a log of its own: what the run before wrote is not waited for."""
    if relay.process:
        relay.process.log.write_bytes(b"")
    return relay.start(wait)


class Source:
    """run() to start, stop() to end. accepted: {recipient: when its 250 came}. refused: replies to
    mail that was not taken. One message has one to three recipients, never used twice."""

    def __init__(self, port, domains, threads=4, size=2000, name="r"):
        self.port, self.domains, self.size, self.name = port, domains, size, name
        self.accepted, self.refused = {}, []
        self.sent = set()  # those whose end of data went out
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.count = 0
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def run(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def _work(self):
        while not self.ending.is_set():
            try:
                self._session()
            except (OSError, EOFError):
                time.sleep(0.02)  # killed; it will be back

    def _session(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            replies = line.makefile("rb")

            def reply():
                while True:
                    text = replies.readline()
                    if not text.endswith(b"\n"):
                        raise EOFError
                    if text[3:4] != b"-":
                        return text.decode().strip()

            if not reply().startswith("220"):
                return
            line.sendall(b"EHLO client.test\r\n")
            reply()
            while not self.ending.is_set():
                self._message(line, reply)
            line.sendall(b"QUIT\r\n")

    def _message(self, line, reply):
        with self.lock:
            self.count += 1
            number = self.count
        recipients = [f"{self.name}{number}.{i}@{random.choice(self.domains)}"
                      for i in range(random.choice((1, 1, 1, 2, 3)))]
        envelope = "MAIL FROM:<news@sender.test>\r\n" + "".join(
            f"RCPT TO:<{one}>\r\n" for one in recipients) + "DATA\r\n"
        line.sendall(envelope.encode())
        answers = [reply() for _ in range(len(recipients) + 2)]
        if not answers[-1].startswith("354"):
            with self.lock:
                self.refused.append(next(one for one in answers if one[0] in "45"))
            time.sleep(0.05)
            line.sendall(b"RSET\r\n")
            reply()
            return
        body = f"Subject: {number}\r\nX-Load-Id: {self.name}{number}\r\n\r\n"
        body += ("x" * 70 + "\r\n") * (random.randrange(2 * self.size) // 72)
        with self.lock:
            self.sent.update(recipients)
        line.sendall(body.encode() + b".\r\n")
        answer = reply()
        with self.lock:
            if answer.startswith("250"):
                for one in recipients:
                    self.accepted[one] = time.time()
            else:
                self.refused.append(answer)
