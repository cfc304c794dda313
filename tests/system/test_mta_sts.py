"""MTA-STS (RFC 8461) against a name server, an HTTPS server with certificates of a test authority, and
a sink over STARTTLS: where mail goes under each policy, and what a restart remembers."""

import http.server
import json
import signal
import ssl
import subprocess
import threading
from http.client import HTTPConnection

import pytest

from certificates import Authority
from dns_servers import Nsd
from messages import message
from processes import PEERS, TOP, program, wait_until

POLICY_HOST = "127.0.44.3"  # port 443 of its own
MX = "mx.sts.test"          # what the sink's certificate says; other.sts.test is the sink too


def policy(mode, *mx, age=604800):
    lines = ["version: STSv1", f"mode: {mode}", *[f"mx: {one}" for one in mx], f"max_age: {age}"]
    return "\r\n".join(lines).encode() + b"\r\n"


# domain: (its mail host, what its policy host answers, what becomes of the mail)
CASES = {
    "enforce.sts.test": (MX, (200, "text/plain", policy("enforce", MX)), "sts"),
    "wildcard.sts.test": (MX, (200, "text/plain; charset=utf-8", policy("enforce", "*.sts.test")),
                          "sts"),
    "barred.sts.test": (MX, (200, "text/plain", policy("enforce", "*.mx.sts.test")), "kept"),
    "wrongname.sts.test": ("other.sts.test", (200, "text/plain", policy("enforce", "*.sts.test")),
                           "kept"),
    "testing.sts.test": ("other.sts.test", (200, "text/plain", policy("testing", MX)), "any"),
    "none.sts.test": ("other.sts.test", (200, "text/plain", policy("none")), "any"),
    # No policy can be had, so none is in force; it would keep the mail here if it were.
    "missing.sts.test": ("other.sts.test", (404, "text/plain", policy("enforce", MX)), "any"),
    "moved.sts.test": ("other.sts.test", (302, "text/plain", policy("enforce", MX)), "any"),
    "long.sts.test": ("other.sts.test",
                      (200, "text/plain", policy("enforce", MX) + b"\n" * 65536), "any"),
    "page.sts.test": ("other.sts.test", (200, "text/html", policy("enforce", MX)), "any"),
    "invalid.sts.test": ("other.sts.test", (200, "text/plain", policy("enforce")), "any"),
    "stranger.sts.test": ("other.sts.test", (200, "text/plain", policy("enforce", MX)), "any"),
    "unannounced.sts.test": ("other.sts.test", (200, "text/plain", policy("enforce", MX)), "any"),
}


class PolicyHost:
    """https://mta-sts.<domain>/.well-known/mta-sts.txt for every case, by SNI and Host."""

    def __init__(self, authority):
        outer = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                domain = self.headers["Host"].removeprefix("mta-sts.")
                outer.asked.append((domain, self.path))
                status, kind, body = CASES[domain][1]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "https://mta-sts.enforce.sts.test" + self.path)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        contexts = {}
        for domain in CASES:
            # One has a certificate of another host: it is not to be believed.
            name = "www.sts.test" if domain.startswith("stranger") else f"mta-sts.{domain}"
            identity = authority.issue(name)
            contexts[f"mta-sts.{domain}"] = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.certificate, identity.key)

        def choose(sock, name, _):
            sock.context = contexts[name]

        front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        front.load_cert_chain(identity.certificate, identity.key)
        front.sni_callback = choose

        class Server(http.server.ThreadingHTTPServer):
            def get_request(self):
                sock, address = super().get_request()
                sock.settimeout(10)
                return front.wrap_socket(sock, server_side=True,
                                         do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # a client that does not like the certificate

        self.server = Server((POLICY_HOST, 443), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def zone(announced=True):
    lines = ["mx A 127.0.0.1", "other A 127.0.0.1"]
    for domain, (host, _, _) in CASES.items():
        name = domain.removesuffix(".sts.test")
        lines += [f"{name} MX 10 {host}.", f"mta-sts.{name} A {POLICY_HOST}"]
        if announced and name != "unannounced":
            lines.append(f'_mta-sts.{name} TXT "v=STSv1; " "id=20261123;"')
    return {"sts.test": "\n".join(lines) + "\n"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def policy_host(authority):
    host = PolicyHost(authority)
    yield host
    host.stop()


def settings(dns_port, sink, authority):
    return {"dns": {"servers": [f"127.0.0.1:{dns_port}"]},
            "delivery": {"port": sink.port, "prohibited_hosts": [],
                         "tls_ca_file": str(authority.file)}}


def fates(relay, count):
    """{domain: kept or encrypted or clear}, once every domain's mail was tried."""
    def look():
        found = {}
        for event in relay.events():
            domain = event["recipient"].partition("@")[2]
            if event["type"] == "Delivery":
                found[domain] = "encrypted" if event["tls_cipher"] else "clear"
            elif event["type"] in ("TransientFailure", "Bounce"):
                found.setdefault(domain, "kept")
        return found if len(found) == count else None

    return wait_until(look, 60, "every message has been tried")


def test_each_policy_and_each_way_to_have_none(policy_host, authority, make_relay, make_sink, tmp_path):
    nsd = Nsd(tmp_path / "nsd", zone())
    try:
        sink = make_sink(*authority.issue(MX).sink_options)
        relay = make_relay(config=settings(nsd.port, sink, authority))
        for domain in CASES:
            relay.inject(message(domain, b"hello\r\n"), f"reader@{domain}")
        found = fates(relay, len(CASES))
        assert found == {domain: "kept" if how == "kept" else "encrypted"
                         for domain, (_, _, how) in CASES.items()}
        assert {path for _, path in policy_host.asked} == {"/.well-known/mta-sts.txt"}
        asked = [domain for domain, _ in policy_host.asked]
        # Once each, on whichever shard; the redirect was not followed; the stranger was told nothing.
        assert sorted(asked) == sorted(set(CASES) - {"stranger.sts.test", "unannounced.sts.test"})
        reasons = {event["recipient"].partition("@")[2]: event["response"]
                   for event in relay.events("TransientFailure")}
        assert "MTA-STS" in reasons["barred.sts.test"]["content"]
        assert "hostname mismatch" in reasons["wrongname.sts.test"]["content"]
        for response in reasons.values():
            assert response["enhanced_code"] == {"class": 4, "subject": 7, "detail": 5}

        def sessions(result):
            return relay.metric("posthaste_tls_sessions_total", policy="sts", result=result)

        wait_until(lambda: sessions("verified") >= 1 and sessions("untrusted") >= 1, 5,
                   "what was verified is counted")
    finally:
        nsd.stop()


def test_policy_hosts_are_verified_by_the_roots_of_the_latest_reload(
        policy_host, authority, make_relay, make_sink, tmp_path):
    """Also where the file is the same: libcurl keeps for a day what it has read."""
    nsd = Nsd(tmp_path / "nsd", zone())
    try:
        sink = make_sink(*authority.issue(MX).sink_options)
        roots = tmp_path / "roots.pem"
        roots.write_text(Authority(tmp_path / "stranger").file.read_text())
        config = settings(nsd.port, sink, authority)
        config["delivery"]["tls_ca_file"] = str(roots)
        relay = make_relay(config=config | {"node": {"shards": 1}})
        relay.inject(message("before", b"hello\r\n"), "reader@wrongname.sts.test")
        assert relay.wait_for_events("Delivery", 1)[0]["tls_cipher"]  # no policy could be had
        assert not policy_host.asked
        roots.write_text(authority.file.read_text())
        relay.process.signal(signal.SIGHUP)
        relay.process.wait_for_output("reloaded: ")
        relay.inject(message("after", b"hello\r\n"), "reader@barred.sts.test")
        kept = relay.wait_for_events("TransientFailure", 1)[0]
        assert "MTA-STS" in kept["response"]["content"], kept
        assert [domain for domain, _ in policy_host.asked] == ["barred.sts.test"]
        assert len(sink.accepted()) == 1
    finally:
        nsd.stop()


def test_mail_that_waives_tls_goes_where_other_mail_is_kept(policy_host, authority, make_relay,
                                                            make_sink, tmp_path):
    nsd = Nsd(tmp_path / "nsd", zone())
    try:
        sink = make_sink(*authority.issue(MX).sink_options)
        relay = make_relay(config=settings(nsd.port, sink, authority))
        waived = b"TLS-Required: No\r\n" + message("waived", b"hello\r\n")
        relay.inject(message("held", b"hello\r\n"), "held@barred.sts.test")
        relay.inject(waived, "waived@barred.sts.test")
        relay.wait_for_events("TransientFailure", 1)
        delivered = relay.wait_for_events("Delivery", 1)
        assert [event["recipient"] for event in delivered] == ["waived@barred.sts.test"]
        assert delivered[0]["tls_cipher"]
        assert [recipient for _, recipient in sink.accepted()] == ["waived@barred.sts.test"]
    finally:
        nsd.stop()


def test_mail_that_requires_tls_comes_back_where_nothing_secure_names_a_host(
        authority, policy_host, make_relay, make_sink, tmp_path):
    """RFC 8689 section 4.2.1. One domain has a policy, but its host does not offer REQUIRETLS."""
    nsd = Nsd(tmp_path / "nsd", zone())
    sink = make_sink(*authority.issue(MX).sink_options)
    relay = make_relay(config=settings(nsd.port, sink, authority))
    try:
        request = {"envelope_sender": "news@sender.test", "require_tls": True,
                   "recipients": [{"email": f"must@{domain}.sts.test"} for domain in ("enforce", "none")],
                   "content": "Subject: secret\n\nhello\n"}
        http = HTTPConnection("127.0.0.1", relay.http_port, timeout=60)
        http.request("POST", "/api/inject/v1", body=json.dumps(request),
                     headers={"Content-Type": "application/json"})
        assert http.getresponse().status == 200
        http.close()
        relay.wait_for_events("Bounce", 2)
        codes = {}
        for event in relay.events():
            if event["type"] == "Bounce":
                codes[event["recipient"]] = tuple(event["response"]["enhanced_code"].values())
        assert codes == {"must@enforce.sts.test": (5, 7, 30), "must@none.sts.test": (5, 7, 10)}
        assert sink.accepted() == []
    finally:
        nsd.stop()


def test_requiretls_is_refused_and_not_forgotten(make_relay):
    """RFC 8689 section 2: who does not offer it must not take it."""
    relay = make_relay()
    with relay.client() as client:
        _, offered = client.ehlo()
        assert b"REQUIRETLS" not in offered
        code, text = client.mail("news@sender.test", ["REQUIRETLS"])
        assert code == 555 and text.startswith(b"5.5.4"), text


def test_a_policy_is_remembered_over_a_restart(authority, make_relay, make_sink, tmp_path):
    """Then neither the record nor the policy host is there, as an attacker would have it."""
    first = Nsd(tmp_path / "nsd1", zone())
    host = PolicyHost(authority)
    sink = make_sink(*authority.issue(MX).sink_options)
    relay = make_relay(config=settings(first.port, sink, authority))
    try:
        relay.inject(message("before", b"hello\r\n"), "reader@enforce.sts.test")
        relay.wait_for_events("Delivery", 1)
        relay.stop()
    finally:
        host.stop()
        first.stop()
    kept = (relay.folder / "data/mta-sts").read_text()
    assert "enforce.sts.test 20261123 " in kept

    # The mail host is somebody else now, whose certificate is not good.
    second = Nsd(tmp_path / "nsd2", zone(announced=False))
    stranger = make_sink(*authority.issue("other.sts.test").sink_options)
    try:
        relay.config["dns"]["servers"] = [f"127.0.0.1:{second.port}"]
        relay.config["delivery"]["port"] = stranger.port
        relay.process.log.rename(tmp_path / "before.log")
        relay.start()
        relay.inject(message("after", b"hello\r\n"), "reader@enforce.sts.test")
        relay.inject(message("free", b"hello\r\n"), "reader@missing.sts.test")
        failure = relay.wait_for_events("TransientFailure", 1)[0]
        assert "hostname mismatch" in failure["response"]["content"]
        stranger.wait_for(1)
        assert [recipient for _, recipient in stranger.accepted()] == ["reader@missing.sts.test"]
    finally:
        relay.stop()
        second.stop()


POLICIES = [
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
    "mx: backupmx.example.com\r\nmax_age: 604800\r\n",
    "version: STSv1\nmode: testing\nmx: mail.example.com\nmax_age: 86400\n",
    "version: STSv1\nmode: none\nmax_age: 86400\n",
    "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400",
    "max_age: 86400\nmx: MAIL.example.com\nmode: enforce\nversion: STSv1\n",
    "version: STSv1\nmode: enforce\nx-key: value\nmx: mail.example.com\nmax_age: 86400\n",
    "mode: enforce\nmx: mail.example.com\nmax_age: 86400\n",
    "version: STSv2\nmode: enforce\nmx: mail.example.com\nmax_age: 86400\n",
    "version: STSv1\nmx: mail.example.com\nmax_age: 86400\n",
    "version: STSv1\nmode: sometimes\nmx: mail.example.com\nmax_age: 86400\n",
    "version: STSv1\nmode: enforce\nmx: mail.example.com\n",
    "version: STSv1\nmode: enforce\nmax_age: 86400\n",
    "",
]
HOSTS = ["mail.example.com", "MAIL.EXAMPLE.COM", "a.example.net", "a.b.example.net", "example.net",
         "backupmx.example.com", "other.example.com", "mail.example.com.evil.example"]


def test_policies_mean_what_mailauth_says():
    """The verdict of mailauth on the same texts and hosts. It differs from RFC 8461 in two points, and
    we from it: it lets "*" stand for several labels (section 4.1: one), and takes a policy without
    a mode for one of mode none (section 3.2: not valid)."""
    script = PEERS / "node/node_modules/mailauth/lib/mta-sts.js"
    assert script.exists(), f"{script} is missing: run tests/system/peers/install node"
    ask = subprocess.run(
        [PEERS / "node/bin/node", TOP / "tests/system/peers/sts.js", str(script)],
        input=json.dumps({"policies": POLICIES, "hosts": HOSTS}), capture_output=True, text=True,
        check=True, timeout=60)
    several = HOSTS.index("a.b.example.net")
    for text, theirs in zip(POLICIES, json.loads(ask.stdout), strict=True):
        done = subprocess.run([program("sts_probe"), *HOSTS], input=text, capture_output=True,
                              text=True, check=True, timeout=10)
        ours = json.loads(done.stdout)
        if "mode" not in text and "version: STSv1" in text:
            assert ours is None and theirs["mode"] == "none"
            continue
        if ours and ours["mode"] == "none":  # allows nothing, forbids nothing
            assert not any(ours.pop("allows")) and all(theirs.pop("allows"))
        elif ours and "*.example.net" in ours["mx"]:
            assert not ours["allows"][several] and theirs["allows"][several]
            theirs["allows"][several] = False
        assert ours == theirs, text
