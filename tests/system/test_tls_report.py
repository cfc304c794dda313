"""Reports about TLS (RFC 8460): what a day's sessions with a sink over TLS became, posted to an HTTPS
server and mailed to a sink, read by Python's email, gzip and json."""

import datetime
import email
import email.policy
import gzip
import http.server
import json
import re
import ssl
import threading

import pytest

from certificates import Authority
from dns_servers import Nsd
from messages import message
from processes import wait_until

DESK = "127.0.44.5"  # takes reports at port 8443
MX = "mx.rpt.test"

ZONE = f"""
good MX 10 {MX}.
_smtp._tls.good TXT "v=TLSRPTv1; rua=https://desk.rpt.test:8443/tls?v=1," "mailto:tls@mail.rpt.test"
plain MX 10 plainmx
_smtp._tls.plain TXT "v=TLSRPTv1;rua=mailto:tls@mail.rpt.test"
silent MX 10 {MX}.
stranger MX 10 {MX}.
_smtp._tls.stranger TXT "v=TLSRPTv1;rua=https://stranger.rpt.test:8443/tls"
mail MX 10 {MX}.
mx A 127.0.0.1
plainmx A 127.0.0.2
desk A {DESK}
stranger A {DESK}
"""


class ReportDesk:
    """https://desk.rpt.test:8443; its certificate is for that name only."""

    def __init__(self, authority):
        outer = self
        self.reports = []  # (path, headers, body)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.reports.append((self.path, dict(self.headers), body))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        identity = authority.issue("desk.rpt.test")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)

        class Server(http.server.ThreadingHTTPServer):
            def get_request(self):
                sock, address = super().get_request()
                sock.settimeout(10)
                return context.wrap_socket(sock, server_side=True,
                                           do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # a client that does not like the certificate

        self.server = Server((DESK, 8443), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def desk(authority):
    server = ReportDesk(authority)
    yield server
    server.stop()


def begin_of_day(when):
    return int(datetime.datetime(when.year, when.month, when.day,
                                 tzinfo=datetime.timezone.utc).timestamp())


def test_a_day_is_reported_by_post_and_by_mail(desk, authority, make_relay, make_sink, tmp_path):
    nsd = Nsd(tmp_path / "nsd", {"rpt.test": ZONE})
    sink = make_sink(*authority.issue(MX).sink_options, capture=True)
    # The same port at another address, without TLS.
    plain = make_sink("--listen", f"127.0.0.2:{sink.port}")
    relay = make_relay(config={
        "dns": {"servers": [f"127.0.0.1:{nsd.port}"]},
        "delivery": {"port": sink.port, "prohibited_hosts": [],
                     "tls_ca_file": str(authority.file)},
        "tls_report": {"enabled": True, "organization": "Example Ltd",
                       "contact": "postmaster@sender.test", "from": "tls@sender.test",
                       "delay": "0s"}})
    try:
        for domain in ("good", "plain", "silent", "stranger"):
            relay.inject(message(domain, b"hello\r\n"), f"reader@{domain}.rpt.test")
        relay.wait_for_events("Delivery", 4)
        relay.stop()
        counts = relay.folder / "data/tls-report"
        kept = counts.read_text()
        assert "\tgood.rpt.test\t" in kept and "\tsilent.rpt.test\t" in kept
        assert not desk.reports

        # As if that had been yesterday.
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        day = begin_of_day(yesterday) // 86400
        counts.write_text(re.sub(r"(?m)^policy\t\d+\t", f"policy\t{day}\t", kept))
        relay.process.log.rename(tmp_path / "before.log")
        relay.start()
        wait_until(lambda: relay.metric("posthaste_tls_reports_total", result="mailed") == 2
                   and desk.reports, 60, "the reports are sent")
        sink.wait_for(5)  # good, silent, stranger, and two reports
        relay.stop()

        path, headers, body = desk.reports[0]
        assert len(desk.reports) == 1  # nobody is told anything whose certificate is not good
        assert path == "/tls?v=1"
        assert headers["Content-Type"] == "application/tlsrpt+gzip"
        report = json.loads(gzip.decompress(body))
        date = yesterday.date().isoformat()
        assert report["organization-name"] == "Example Ltd"
        assert report["contact-info"] == "postmaster@sender.test"
        assert report["date-range"] == {"start-datetime": f"{date}T00:00:00Z",
                                        "end-datetime": f"{date}T23:59:59Z"}
        assert report["policies"] == [{
            "policy": {"policy-type": "no-policy-found", "policy-domain": "good.rpt.test"},
            "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0}}]

        # The sink's own fields stand before each message.
        contents = [each.read_bytes().partition(b"\r\n\r\n")[2] for each in sink.capture.iterdir()]
        mails = [email.message_from_bytes(each, policy=email.policy.default)
                 for each in contents if b"\r\nTLS-Report-Domain: " in each]
        found = {mail["TLS-Report-Domain"]: mail for mail in mails}
        assert set(found) == {"good.rpt.test", "plain.rpt.test"}
        for domain, mail in found.items():
            assert not mail.defects
            assert mail.get_content_type() == "multipart/report"
            assert mail.get_param("report-type") == "tlsrpt"
            assert mail["TLS-Report-Submitter"] == "sender.test"
            assert mail["From"].addresses[0].addr_spec == "tls@sender.test"
            assert mail["To"].addresses[0].addr_spec == "tls@mail.rpt.test"
            assert mail["TLS-Required"] == "No"
            words, part = mail.iter_parts()
            assert domain in words.get_content()
            assert part.get_content_type() == "application/tlsrpt+gzip"
            sender, about, begin, end, rest = part.get_filename().split("!")
            assert (sender, about, rest[-8:]) == ("sender.test", domain, ".json.gz")
            assert int(begin) == begin_of_day(yesterday) and int(end) == int(begin) + 86399
        attached = list(found["good.rpt.test"].iter_parts())[1].get_content()
        assert json.loads(gzip.decompress(attached)) == report
        failed = json.loads(gzip.decompress(
            list(found["plain.rpt.test"].iter_parts())[1].get_content()))
        (policy,) = failed["policies"]
        assert policy["summary"] == {"total-successful-session-count": 0,
                                     "total-failure-session-count": 1}
        (detail,) = policy["failure-details"]
        assert detail["result-type"] == "starttls-not-supported"
        assert detail["receiving-mx-hostname"] == "plainmx.rpt.test"
        assert detail["receiving-ip"] == "127.0.0.2"
        assert detail["sending-mta-ip"].startswith("127.")
        assert detail["failed-session-count"] == 1

        # What is left waits for a place whose certificate is not good.
        left = counts.read_text()
        assert re.findall(r"(?m)^policy\t\d+\t(\S+)\t", left) == ["stranger.rpt.test"]
        receptions = [event for event in relay.events("Reception")
                      if event["reception_protocol"] == "TLSRPT"]
        assert len(receptions) == 2
    finally:
        relay.stop()
        plain.stop()
        nsd.stop()
