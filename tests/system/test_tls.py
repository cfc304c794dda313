"""Delivery over TLS to our own sink: STARTTLS, implicit, policies, resumption, logins and secrets."""

import base64
import re
import signal
import ssl

import pytest

from certificates import Authority
from hostile import ScriptedServer
from messages import message
from processes import free_port, wait_until
from relay import inject_with

SINK = "sink.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def route(port, **more):
    """A [[route]] for everything; the sink goes by the name sink.test."""
    return {"route": [{"domain": "*", "hosts": [f"127.0.0.1:{port}"], "tls_name": SINK, **more}]}


def tls_result(relay, result):
    return relay.metric("posthaste_tls_sessions_total", result=result)


def inject(relay, count, first=0):
    with relay.client() as client:
        client.ehlo()
        for i in range(first, first + count):
            inject_with(client, message(f"tls-{i}", b".dots\r\n" * 100), f"reader{i}@far.test")


@pytest.mark.parametrize("policy", ["opportunistic", "encrypt", "verify", "implicit"])
def test_delivers_encrypted(policy, authority, make_relay, make_sink):
    extra = ["--tls-implicit"] if policy == "implicit" else []
    sink = make_sink(*authority.issue(SINK).sink_options, *extra, capture=True)
    relay = make_relay(config=route(sink.port, tls=policy, tls_ca_file=str(authority.file)))
    inject(relay, 50)
    for event in relay.wait_for_events("Delivery", 50):
        assert event["tls_protocol_version"] == "TLSv1.3", event
        assert event["tls_cipher"].startswith("TLS_"), event
    assert len(sink.wait_for(50)) == 50
    assert tls_result(relay, "verified") >= 1
    assert not relay.events("TransientFailure")


def test_large_messages_and_resets_of_the_server(authority, make_relay, make_sink):
    sink = make_sink(*authority.issue(SINK).sink_options, "--rule", "CONTENT: reset; every 7")
    relay = make_relay(config=route(sink.port, tls="verify", tls_ca_file=str(authority.file)))
    with relay.client() as client:
        client.ehlo()
        for i in range(30):
            inject_with(client, message(f"large-{i}", (b"x" * 70 + b"\r\n") * 5000),
                        f"r{i}@far.test")
    relay.wait_for_events("Delivery", 30, 60)
    sink.wait_for(30)  # the ledger is a moment behind the reply
    accepted = [recipient for _, recipient in sink.accepted()]
    assert len(accepted) == len(set(accepted)) == 30


def test_sessions_are_resumed(authority, make_relay, make_sink):
    sink = make_sink(*authority.issue(SINK).sink_options, "--close-after", "1")
    relay = make_relay(config=route(sink.port, tls="verify", tls_ca_file=str(authority.file)) |
                       {"node": {"shards": 1}})
    for i in range(5):
        inject(relay, 1, i)
        relay.wait_for_events("Delivery", i + 1)
    sink.stop()
    counted = re.search(r'"tls_sessions": (\d+), "tls_resumed": (\d+)', sink.process.output())
    assert counted and int(counted[1]) == 5 and int(counted[2]) == 4, sink.process.output()


@pytest.mark.parametrize("policy,why", [("verify", "hostname mismatch"),
                                        ("implicit", "hostname mismatch")])
def test_a_wrong_name_defers(policy, why, authority, make_relay, make_sink):
    extra = ["--tls-implicit"] if policy == "implicit" else []
    sink = make_sink(*authority.issue("other.test").sink_options, *extra)
    relay = make_relay(config=route(sink.port, tls=policy, tls_ca_file=str(authority.file)))
    inject(relay, 1)
    failure = relay.wait_for_events("TransientFailure", 1)[0]
    assert why in failure["response"]["content"], failure
    assert failure["response"]["enhanced_code"] == {"class": 4, "subject": 7, "detail": 5}
    assert not sink.accepted()


def test_an_unknown_authority_is_good_enough_for_encrypt_and_not_for_verify(
        authority, make_relay, make_sink):
    sink = make_sink(*authority.issue(SINK).sink_options)
    relay = make_relay(config=route(sink.port, tls="encrypt"))
    inject(relay, 1)
    assert relay.wait_for_events("Delivery", 1)[0]["tls_cipher"]
    assert tls_result(relay, "unverified") >= 1
    strict = make_relay(config=route(sink.port, tls="verify"))
    inject(strict, 1)
    strict.wait_for_events("TransientFailure", 1)
    assert len(sink.accepted()) == 1


def test_starttls_refused_or_missing(authority, make_relay, make_sink):
    refuses = make_sink(*authority.issue(SINK).sink_options, "--rule",
                        "STARTTLS: 454 4.7.0 TLS not available")
    relay = make_relay(config=route(refuses.port, tls="opportunistic"))
    inject(relay, 3)
    for event in relay.wait_for_events("Delivery", 3):
        assert event["tls_cipher"] is None
    assert tls_result(relay, "refused") >= 1
    for sink in (refuses, make_sink()):
        strict = make_relay(config=route(sink.port, tls="encrypt"))
        inject(strict, 1, 100)
        strict.wait_for_events("TransientFailure", 2)
        assert not strict.events("Delivery")
    assert len(refuses.accepted()) == 3


@pytest.mark.hostile
@pytest.mark.parametrize("octets", [
    b"220 go\r\n250 fake\r\n", b"220 go\r\n250-x\r\n250 PIPELINING\r\n", b"220 go\r\n2"])
@pytest.mark.parametrize("policy", ["opportunistic", "encrypt"])
def test_octets_behind_the_reply_to_starttls(octets, policy, make_relay):
    """CVE-2021-38371: they are never taken for replies, and nothing is delivered over it."""
    heard = []

    def behave(talk):
        talk.say(b"220 mx\r\n")
        talk.hear()
        talk.say(b"250-mx\r\n250 STARTTLS\r\n")
        talk.hear()
        talk.say(octets)
        heard.append(talk.file.read())

    server = ScriptedServer(behave)
    try:
        relay = make_relay(config=route(server.port, tls=policy))
        inject(relay, 1)
        failure = relay.wait_for_events("TransientFailure", 1)[0]
        assert "octets after the reply to STARTTLS" in failure["response"]["content"]
        assert heard and all(not octets for octets in heard), heard
    finally:
        server.stop()


@pytest.mark.hostile
@pytest.mark.parametrize("instead", [b"", b"\x16\x03\x03\xff\xff" + b"\0" * 70000,
                                     b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(256)) * 40],
                         ids=["end", "oversized-record", "http", "every-octet"])
def test_nonsense_instead_of_a_handshake(instead, make_relay):
    """Any handshake that fails is followed by clear text over a new connection, and no crash."""
    def behave(talk):
        talk.say(b"220 mx\r\n")
        while command := talk.hear():
            if command.startswith(b"EHLO"):
                talk.say(b"250-mx\r\n250 STARTTLS\r\n")
            elif command == b"STARTTLS":
                talk.say(b"220 go\r\n")
                talk.socket.recv(100)
                talk.say(instead)
                return
            elif command == b"DATA":
                talk.say(b"354 go\r\n")
                talk.hear_message()
                talk.say(b"250 taken\r\n")
            else:
                talk.say(b"250 ok\r\n")

    server = ScriptedServer(behave)
    try:
        relay = make_relay(config=route(server.port, tls="opportunistic"))
        inject(relay, 2)
        relay.wait_for_events("Delivery", 2)
        assert tls_result(relay, "failed") >= 1
        assert not relay.events("TransientFailure")
    finally:
        server.stop()


class Smarthost:
    """A server that wants a login, over TLS; knows PLAIN, LOGIN and what the script says."""

    def __init__(self, identity, mechanisms, password="secret"):
        self.heard, self.shown, self.password = [], [], password
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(identity.certificate, identity.key)
        self.mechanisms = mechanisms
        self.server = ScriptedServer(self.behave)
        self.port = self.server.port

    def behave(self, talk):
        talk.socket = self.context.wrap_socket(talk.socket, server_side=True)
        talk.file = talk.socket.makefile("rb")
        shown = talk.socket.getpeercert() or {}
        self.shown.append([name for _, name in shown.get("subjectAltName", ())])
        known = False
        talk.say(b"220 smarthost\r\n")
        while command := talk.hear():
            self.heard.append(command)
            word = command.split(b" ")[0]
            if word == b"EHLO":
                talk.say(b"250-smarthost\r\n250-PIPELINING\r\n250 AUTH " + self.mechanisms + b"\r\n")
            elif command.startswith(b"AUTH PLAIN "):
                _, user, password = base64.b64decode(command[11:]).split(b"\0")
                known = (user, password) == (b"mta", self.password.encode())
                talk.say(b"235 2.7.0 ok\r\n" if known else b"535 5.7.8 no\r\n")
            elif command == b"AUTH LOGIN":
                talk.say(b"334 VXNlcm5hbWU6\r\n")
                user = base64.b64decode(talk.hear())
                talk.say(b"334 UGFzc3dvcmQ6\r\n")
                password = base64.b64decode(talk.hear())
                known = (user, password) == (b"mta", self.password.encode())
                talk.say(b"235 2.7.0 ok\r\n" if known else b"535 5.7.8 no\r\n")
            elif word == b"MAIL" and not known:
                talk.say(b"530 5.7.0 login first\r\n")
            elif word == b"DATA":
                talk.say(b"354 go\r\n")
                talk.hear_message()
                talk.say(b"250 taken\r\n")
            elif word == b"QUIT":
                talk.say(b"221 bye\r\n")
                return
            else:
                talk.say(b"250 ok\r\n")


@pytest.mark.parametrize("mechanisms", [b"PLAIN LOGIN", b"LOGIN"])
def test_logs_in_to_a_smarthost(mechanisms, authority, make_relay, tmp_path):
    host = Smarthost(authority.issue(SINK), mechanisms)
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    try:
        relay = make_relay(config=route(host.port, tls="implicit", username="mta",
                                        password_file=str(secret),
                                        tls_ca_file=str(authority.file)))
        inject(relay, 5)
        relay.wait_for_events("Delivery", 5)
    finally:
        host.server.stop()


def test_sighup_reloads_certificates_and_roots_or_nothing(authority, make_relay, tmp_path):
    host = Smarthost(authority.issue(SINK), b"PLAIN")
    host.context.verify_mode = ssl.CERT_REQUIRED
    host.context.load_verify_locations(authority.file)
    roots, chain, key, secret = (tmp_path / name for name in ("ca.pem", "c.pem", "k.pem", "pw"))
    secret.write_text("secret\n")
    roots.write_text(Authority(tmp_path / "other").file.read_text())

    def show(identity):
        chain.write_text(identity.certificate.read_text())
        key.write_text(identity.key.read_text())

    show(authority.issue("first.test"))
    for file in (key, secret):
        file.chmod(0o600)
    try:
        relay = make_relay(config=route(
            host.port, tls="implicit", username="mta", password_file=str(secret),
            certificate=str(chain), private_key=str(key), tls_ca_file=str(roots)))

        def reload(answer):
            before = relay.process.output().count(answer)
            relay.process.signal(signal.SIGHUP)
            wait_until(lambda: relay.process.output().count(answer) > before, 10, answer)

        inject(relay, 1)
        failure = relay.wait_for_events("TransientFailure", 1)[0]
        assert failure["response"]["enhanced_code"] == {"class": 4, "subject": 7, "detail": 5}
        roots.write_text(authority.file.read_text())
        reload("reloaded: ")
        relay.wait_for_events("Delivery", 1)
        assert host.shown[-1] == ["first.test"]
        show(authority.issue("second.test"))
        reload("reloaded: ")
        inject(relay, 1, 1)
        relay.wait_for_events("Delivery", 2)
        assert host.shown[-1] == ["second.test"]
        key.write_text("no key\n")
        reload("reload: refused")
        assert f"{key}" in relay.process.output() and f"{relay.config_file}:" in relay.process.output()
        inject(relay, 1, 2)
        relay.wait_for_events("Delivery", 3)
        assert host.shown[-1] == ["second.test"]
        relay.assert_sound()
    finally:
        host.server.stop()


def test_a_refused_login_keeps_the_mail_and_no_secret_is_written_down(
        authority, make_relay, tmp_path):
    host = Smarthost(authority.issue(SINK), b"PLAIN LOGIN", password="changed")
    secret = tmp_path / "password"
    secret.write_text("pa55word\n")
    secret.chmod(0o600)
    try:
        relay = make_relay(config=route(host.port, tls="implicit", username="mta",
                                        password_file=str(secret),
                                        tls_ca_file=str(authority.file)))
        inject(relay, 2)
        relay.wait_for_events("TransientFailure", 4)
        assert not relay.events("Bounce")
        log = relay.process.output()
        assert "does not let us in by AUTH: 535" in log
        told = base64.b64encode(b"\0mta\0pa55word").decode()
        written = log + "".join(path.read_text() for path in
                                (relay.folder / "data/events").glob("*"))
        assert "pa55word" not in written and told not in written and told[:12] not in written
        host.password = "pa55word"
        relay.wait_for_events("Delivery", 2)
    finally:
        host.server.stop()


def test_no_password_for_an_unverified_host(authority, make_relay, tmp_path):
    host = Smarthost(authority.issue(SINK), b"PLAIN LOGIN")
    secret = tmp_path / "password"
    secret.write_text("secret")
    secret.chmod(0o600)
    login = {"username": "mta", "password_file": str(secret)}
    try:
        # Another authority: the handshake fails before anything is said.
        relay = make_relay(config=route(host.port, tls="implicit", **login))
        inject(relay, 1)
        relay.wait_for_events("TransientFailure", 1)
        assert not host.heard
    finally:
        host.server.stop()


def test_check_reads_what_a_route_names(authority, make_relay, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("secret")
    secret.chmod(0o644)
    relay = make_relay(start=False, config=route(free_port(), tls="verify", username="mta",
                                                 password_file=str(secret)))
    relay.start(wait=False)
    assert relay.process.wait() == 1
    assert "everybody may read it" in relay.process.output()
    relay.process = None
