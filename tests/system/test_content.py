"""Content with octets above 127, as it comes out of the relay, read by Python's email package: an
implementation of MIME that knows nothing of ours."""

import email.message
import email.policy
import random

import pytest

from messages import assert_made_seven_bit, without_trace

HEAD = (b"X-Sample: content\r\nFrom: news@sender.test\r\nTo: reader@example.test\r\n"
        b"Subject: content\r\nMIME-Version: 1.0\r\n")
TEXT = "Grüße aus Köln. \r\n.\r\nFrom here on -- dots:\r\n..\r\n--\r\n".encode()
RUSSIAN = ("Быстрая бурая лиса\r\n" * 40).encode()


def part(kind, body, encoding="8bit"):
    return (b"Content-Type: " + kind.encode() + b"\r\nContent-Transfer-Encoding: " +
            encoding.encode() + b"\r\n\r\n" + body)


def multipart(subtype, boundary, *parts, extra=b"", end=b"", top=HEAD):
    line = b"--" + boundary.encode()
    return (top + b"Content-Type: multipart/" + subtype.encode() + b"; boundary=\"" +
            boundary.encode() + b"\"" + extra + b"\r\n\r\nthe preamble\r\n" +
            b"".join(line + b"\r\n" + each + b"\r\n" for each in parts) + line + b"--\r\n" + end)


PNG = b"\x89PNG" + b"\r\n".join([bytes(range(14, 256))] * 8)
UTF8 = "text/plain; charset=utf-8"
CONTENTS = {
    "text": HEAD + part(UTF8, TEXT),
    "base64-is-smaller": HEAD + part(UTF8, RUSSIAN),
    "no-mime": b"X-Sample: content\r\nSubject: x\r\n\r\n" + TEXT,
    "alternative": multipart("alternative", "=_b1", part(UTF8, TEXT),
                             part("text/html; charset=utf-8", b"<p>" + TEXT + b"</p>\r\n")),
    "nested": multipart(
        "mixed", "outer (1)",
        multipart("related", "outer (1)x", part(UTF8, TEXT), part("image/png", PNG, "binary"),
                  top=b""),
        part("message/rfc822", HEAD + part(UTF8, RUSSIAN)),
        part("text/plain", b"seven bit only\r\n", "7bit"),
        part(UTF8, b"caf=C3=A9 and caf\xc3\xa9 soft=\r\nbreak", "quoted-printable"),
        part("application/octet-stream", b"AAEC\r\n", "base64"), end=b"the epilogue\r\n"),
    "digest": multipart("digest", "d", b"\r\n" + HEAD + part(UTF8, TEXT),
                        b"\r\n" + HEAD + part(UTF8, RUSSIAN)),
    "long-lines": HEAD + part(UTF8, ("ä" * 490 + "\r\n").encode() * 20),
}


@pytest.fixture
def relay_to_sink(make_relay, make_sink):
    sink = make_sink(capture=True)
    return make_relay({"*": sink.port}), sink


def arrived_at(sink, count=1):
    sink.wait_for(count)
    return [path.read_bytes() for path in sorted(sink.capture.iterdir())]


@pytest.mark.parametrize("name", CONTENTS)
def test_every_part_decodes_to_what_it_was(relay_to_sink, name):
    relay, sink = relay_to_sink
    relay.inject(CONTENTS[name], "reader@example.test")
    assert_made_seven_bit(CONTENTS[name], arrived_at(sink)[0])


def test_generated_messages(relay_to_sink):
    """Python makes the messages and reads what came of them."""
    relay, sink = relay_to_sink
    chance = random.Random(11)
    letters = "abc =.\t-äöü€\U0001f600\u4f60"
    sent = []

    def words():
        lines = ("".join(chance.choice(letters) for _ in range(chance.randrange(200)))
                 for _ in range(chance.randrange(1, 12)))
        return "\n".join(lines) + "ä\n"

    for number in range(40):
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["X-Sample"] = f"n{number}"
        message["Subject"] = "generated"
        message.set_content(words(), cte="8bit")
        if number % 2:
            message.add_alternative(f"<p>{words()}</p>", subtype="html", cte="8bit")
        for _ in range(number % 4):
            data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 900)))
            message.add_attachment(data, maintype="application", subtype="x-data", cte="base64")
        if number % 5 == 0:
            inner = email.message.EmailMessage(policy=email.policy.SMTP)
            inner["Subject"] = "inner"
            inner.set_content(words(), cte="8bit")
            message.add_attachment(inner)
        sent.append(bytes(message))
        relay.inject(sent[-1], "reader@example.test")
    arrived = {octets.split(b"X-Sample: ")[1].split(b"\r\n")[0]: octets
               for octets in arrived_at(sink, 40)}
    for number, octets in enumerate(sent):
        assert_made_seven_bit(octets, arrived[b"n%d" % number])


def test_what_is_signed_is_not_changed(relay_to_sink):
    relay, sink = relay_to_sink
    signed = HEAD.replace(b"Subject", b"DKIM-Signature: v=1; a=rsa-sha256; b=x\r\nSubject") + \
        part(UTF8, TEXT)
    relay.inject(signed, "reader@example.test")
    assert without_trace(arrived_at(sink)[0]) == signed


def test_a_listener_may_keep_it(make_relay, make_sink):
    sink = make_sink(capture=True)
    relay = make_relay({"*": sink.port}, smtp={"eight_bit": "keep"})
    relay.inject(CONTENTS["nested"], "reader@example.test")
    assert without_trace(arrived_at(sink)[0]) == CONTENTS["nested"]
