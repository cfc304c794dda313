"""Delivery status notifications, read by others: Python's email package, npm's mailparser, and a real
mail server that must take them."""

import email
import email.policy
import json
import os
import subprocess

import pytest

from messages import message
from peers.postfix import Postfix
from processes import PEERS, wait_until

ORIGINAL = message("original", b"the text that was sent\r\n")


@pytest.fixture
def told(make_relay, make_sink):
    """A relay that answers by mail, whose readers at gone.test are unknown; the sender's side keeps what comes."""
    home = make_sink(capture=True)
    readers = make_sink("--rule", "RCPT@gone.test: 550 5.1.1 no such user")
    relay = make_relay({"sender.test": home.port, "*": readers.port}, smtp={"bounces": "both"})
    return relay, home


def captured(sink, count=1):
    sink.wait_for(count)
    wait_until(lambda: len(list(sink.capture.iterdir())) >= count, 10, "the message is captured")
    # The sink puts the envelope in front.
    files = [path.read_bytes() for path in sorted(sink.capture.iterdir())]
    assert all(b"\r\nX-Sender: \r\n" in file for file in files), files
    return [file.split(b"\r\n\r\n", 1)[1] for file in files]


def inject(relay, recipients, sender="bounces@sender.test", mail=(), rcpt=()):
    with relay.client() as client:
        client.ehlo()
        assert client.has_extn("dsn")
        client.sendmail(sender, recipients, ORIGINAL, mail_options=list(mail),
                        rcpt_options=list(rcpt))


def assert_notification(octets, recipients, returned):
    """What RFC 3464 and 6522 ask for, by Python's parser."""
    octets.decode("ascii")
    mail = email.message_from_bytes(octets, policy=email.policy.default)
    assert not mail.defects and mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    assert mail["Auto-Submitted"] == "auto-replied" and "mailer-daemon@relay.test" in mail["From"]
    original = email.message_from_bytes(ORIGINAL, policy=email.policy.default)
    assert mail["In-Reply-To"] == mail["References"] == original["Message-ID"]
    text, status, given = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    for recipient in recipients:
        assert recipient in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    whole, *each = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; relay.test" and whole["Arrival-Date"]
    assert [group["Final-Recipient"] for group in each] == [f"rfc822; {r}" for r in recipients]
    for group in each:
        assert group["Action"] == "failed" and group["Status"] == "5.1.1"
        assert group["Remote-MTA"] == "dns; 127.0.0.1", group.items()
        assert group["Diagnostic-Code"].startswith("smtp; 550 5.1.1 "), group["Diagnostic-Code"]
    assert given.get_content_type() == returned
    for part in mail.walk():
        assert not part.defects, part.defects
    return whole, each, given


def test_pythons_parser_reads_it(told):
    relay, home = told
    recipients = ["no1@gone.test", "yes@reader.test", "no2@gone.test"]
    inject(relay, recipients, mail=["RET=HDRS", "ENVID=QQ+2B314159"],
           rcpt=["NOTIFY=FAILURE", "ORCPT=rfc822;Old+2BName@reader.test"])
    octets, = captured(home)
    whole, each, given = assert_notification(octets, [recipients[0], recipients[2]],
                                             "text/rfc822-headers")
    assert whole["Original-Envelope-Id"] == "QQ+314159"
    assert each[0]["Original-Recipient"] == "rfc822; Old+Name@reader.test"
    assert "Subject: " in given.get_content()
    assert "the text that was sent" not in given.get_content()
    assert len(relay.wait_for_events("Bounce", 2)) == 2
    wait_until(lambda: relay.metric("posthaste_reports_total") == 1, 5, "one report is counted")


def test_the_whole_message_is_given_back_on_request(told):
    relay, home = told
    inject(relay, ["no@gone.test"], mail=["RET=FULL"])
    octets, = captured(home)
    _, _, given = assert_notification(octets, ["no@gone.test"], "message/rfc822")
    inner = given.get_payload()[0]
    assert inner.get_content().strip() == "the text that was sent"


def test_mailparser_reads_it(told):
    relay, home = told
    inject(relay, ["no@gone.test"])
    octets, = captured(home)
    parsed = subprocess.run(
        [PEERS / "node/bin/node", os.path.join(os.path.dirname(__file__), "peers/parse.js")],
        input=octets, stdout=subprocess.PIPE, timeout=60, check=True,
        env={"NODE_PATH": str(PEERS / "node/node_modules")})
    mail = json.loads(parsed.stdout)
    assert mail["type"] == "multipart/report" and mail["reportType"] == "delivery-status"
    assert mail["from"] == "mailer-daemon@relay.test" and mail["to"] == "bounces@sender.test"
    assert mail["autoSubmitted"] == "auto-replied"
    original = email.message_from_bytes(ORIGINAL)
    assert mail["inReplyTo"] == original["Message-ID"]
    assert "no@gone.test" in mail["text"]
    status = [a for a in mail["attachments"] if a["contentType"] == "message/delivery-status"]
    assert len(status) == 1 and "Action: failed" in status[0]["content"]


def test_a_real_server_takes_it(make_relay, make_sink, tmp_path):
    """Postfix stores it for the sender, as it was written."""
    peer = Postfix(tmp_path)
    try:
        peer.start()
        peer.clear()
        readers = make_sink("--rule", "RCPT@gone.test: 550 5.1.1 no such user")
        relay = make_relay({peer.domain: peer.port, "*": readers.port}, smtp={"bounces": "mail"})
        inject(relay, ["no@gone.test"], sender=f"bounces@{peer.domain}")
        peer.wait_for(1)
        stored, = peer.messages()
        mail = email.message_from_bytes(stored, policy=email.policy.default)
        assert mail["Return-Path"] in (None, "<>"), mail["Return-Path"]
        for name in ("Return-Path", "X-Original-To", "Delivered-To", "Received"):
            del mail[name]
        text = mail.as_bytes(policy=email.policy.SMTP)
        assert_notification(text, ["no@gone.test"], "text/rfc822-headers")
        assert not relay.events("Bounce"), "bounces = mail: the notification is the record"
        assert len(relay.wait_for_events("Delivery", 1)) == 1
    finally:
        peer.stop()


def test_verp(make_relay, make_sink):
    home = make_sink(capture=True)
    readers = make_sink("--rule", "RCPT@gone.test: 550 5.1.1 no such user")
    relay = make_relay({"sender.test": home.port, "*": readers.port},
                       smtp={"bounces": "both", "verp": True})
    inject(relay, ["yes@reader.test", "no@gone.test"])
    assert [recipient for _, recipient in home.wait_for(1)] == ["bounces+no=gone.test@sender.test"]
