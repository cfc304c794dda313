"""Raw SMTP for tests that do what no honest client or server does."""

import socket
import socketserver
import struct
import threading
import time


class RawClient:
    """A connection that sends what it is told to, in the segments it is told to."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """One line without its end; empty at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                more = b""
            if not more:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def reply(self):
        """(code, text) of one reply; (0, "") at the end of the connection."""
        text = []
        while True:
            line = self.line()
            if not line:
                return 0, ""
            text.append(line[4:].decode(errors="replace"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(text)

    def command(self, text):
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def greet(self):
        code, text = self.reply()
        assert code == 220, text
        return self.command("EHLO client.test")

    def until_closed(self):
        """Every reply until the other side closes."""
        replies = []
        while True:
            code, text = self.reply()
            if code == 0:
                return replies
            replies.append((code, text))

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ScriptedServer:
    """A server whose behaviour is a function of the test: behave(conversation) once per connection,
    in a thread of its own. `healed` lets it behave well from then on."""

    def __init__(self, behave):
        self.behave = behave
        self.healed = threading.Event()
        self.connections = 0
        self.delivered = []  # (recipients, content) of each message accepted
        self.guard = threading.Lock()
        self.stopping = threading.Event()
        outer = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self):
                with outer.guard:
                    outer.connections += 1
                    number = outer.connections
                talk = Conversation(self.request, outer, number)
                try:
                    (honest if outer.healed.is_set() else outer.behave)(talk)
                except OSError:
                    pass  # the relay went away, which is its right

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Connection)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


class Conversation:
    """What a behaviour has at hand."""

    def __init__(self, connection, server, number):
        self.socket = connection
        self.socket.settimeout(60)
        self.server = server
        self.number = number  # of the connection, from 1
        self.file = connection.makefile("rb")

    def say(self, octets):
        self.socket.sendall(octets)

    def drip(self, octets, pause=0.002):
        for i in range(len(octets)):
            self.socket.sendall(octets[i:i + 1])
            time.sleep(pause)

    def hear(self):
        """One command; empty at the end of the connection."""
        return self.file.readline().rstrip(b"\r\n")

    def hear_message(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionResetError
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def flood(self, octets, limit=64 << 20):
        """Sends the same until the other side has enough; how much it took."""
        sent = 0
        try:
            while sent < limit:
                sent += self.socket.send(octets)
        except OSError:
            pass
        return sent

    def hang(self, seconds=600):
        """Neither says nor closes anything until the test ends."""
        self.server.stopping.wait(seconds)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


EHLO_REPLY = b"250-hostile.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


def honest(talk, say=None, banner=b"220 hostile.test ESMTP\r\n", ehlo=EHLO_REPLY):
    """A plain server; `say` replaces how replies are written."""
    say = say or talk.say
    say(banner)
    recipients = []
    while True:
        command = talk.hear()
        verb = command[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            say(ehlo)
        elif verb == b"MAIL":
            recipients = []
            say(b"250 2.1.0 ok\r\n")
        elif verb == b"RCPT":
            recipients.append(command.partition(b"<")[2].partition(b">")[0].decode())
            say(b"250 2.1.5 ok\r\n")
        elif verb == b"DATA":
            say(b"354 go on\r\n")
            content = talk.hear_message()
            with talk.server.guard:
                talk.server.delivered.append((recipients, content))
            say(b"250 2.0.0 ok\r\n")
        elif verb == b"QUIT":
            say(b"221 2.0.0 bye\r\n")
            return
        elif not command:
            return
        else:
            say(b"250 2.0.0 ok\r\n")
