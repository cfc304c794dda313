"""Messages whose octets are easily damaged on the way, and how to tell whether they were."""

import email
import email.policy
import random

SUBJECT = b"X-Sample: "
HEADER = (
    b"X-Sample: %b\r\n"
    b"X-Load-Id: %b\r\n"
    b"From: News <news@sender.test>\r\n"
    b"To: Reader <reader@example.test>\r\n"
    b"Subject: A sample\r\n"
    b"Date: Sun, 22 Nov 2026 21:00:00 +0000\r\n"
    b"Message-ID: <%b@sender.test>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: %b\r\n"
    b"\r\n"
)


def message(name, body):
    """A whole message, octets with CRLF; `name` finds it again. It declares what its body is:
    Courier mends a declaration that says more than is true."""
    encoding = b"7bit" if body.isascii() else b"8bit"
    return HEADER % (name.encode(), name.encode(), name.encode(), encoding) + body


def _long_lines():
    fill = b"".join(b"%09d " % i for i in range(100))
    return b"".join(fill[:length] + b"\r\n" for length in (1, 77, 510, 511, 512, 990, 997, 998))


def _five_megabytes():
    words = random.Random(5)
    line = bytes(words.choice(b"abcdefghij.klmnopqrstuvwxyz ") for _ in range(76))
    lines = [(b"." if i % 7 == 0 else b"%d " % i) + line[: 40 + i % 30].rstrip() + b"\r\n"
             for i in range(90000)]
    return b"".join(lines)[: 5 * 1024 * 1024 - 2].rsplit(b"\r\n", 1)[0] + b"\r\n"


BODIES = {
    "plain": b"Hello,\r\n\r\nthis is a plain message.\r\n",
    "dots": b".\r\n..\r\n...\r\n.a\r\n..b\r\na.\r\n\r\n.\r\n.\r\nMAIL FROM:<x@y.test>\r\n. \r\n",
    "ends-in-dot": b"The last line is a dot\r\n.\r\n",
    "eight-bit": "Grüße, 你好, \U0001f4ec\r\n".encode() * 50,
    "long-lines": _long_lines(),
    "empty-body": b"",
    "no-trailing-newline": b"The last line has no end",
    "blank-lines": b"\r\n\r\n\r\ntext\r\n\r\n\r\n",
    "five-megabytes": _five_megabytes(),
}
SAMPLES = {name: message(name, body) for name, body in BODIES.items()}


def sample_name(octets):
    """Which message this is, by its first header of ours."""
    start = octets.index(SUBJECT) + len(SUBJECT)
    return octets[start:octets.index(b"\r\n", start)].decode()


def trace_of(octets):
    """What was put in front of the message on the way: trace headers, unfolded."""
    head = octets[: octets.index(SUBJECT)]
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")[:-1]


def without_trace(octets):
    return octets[octets.index(SUBJECT):]


def as_transmitted(octets):
    """SMTP carries lines: a last line without an end gets one."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def first_difference(sent, arrived):
    """A sentence for a failed comparison of long octet strings."""
    for i, (a, b) in enumerate(zip(sent, arrived)):
        if a != b:
            return f"octet {i}: sent {sent[max(0, i - 40):i + 40]!r}, arrived " \
                   f"{arrived[max(0, i - 40):i + 40]!r}"
    return f"sent {len(sent)} octets ending {sent[-40:]!r}, arrived {len(arrived)} ending " \
           f"{arrived[-40:]!r}"


def leaves_of(octets):
    """The parts of a message with their types, decoded by Python's reader."""
    whole = email.message_from_bytes(octets, policy=email.policy.SMTP)
    return [(part.get_content_type(), part.get_payload(decode=True))
            for part in whole.walk() if not part.is_multipart()]


def assert_made_seven_bit(sent, arrived):
    """docs/decisions/0013: 7-bit now, and every part decodes to what it was."""
    sent, arrived = as_transmitted(sent), without_trace(arrived)
    assert arrived.isascii() and not sent.isascii()
    assert leaves_of(arrived) == leaves_of(sent)
    assert all(len(line) <= 998 for line in arrived.split(b"\r\n"))


def assert_identical(sent, arrived):
    """Octet by octet; but what is 8-bit the relay converts."""
    if not sent.isascii():
        assert_made_seven_bit(sent, arrived)
        return
    sent, arrived = as_transmitted(sent), without_trace(arrived)
    assert sent == arrived, first_difference(sent, arrived)
