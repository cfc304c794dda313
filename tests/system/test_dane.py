"""DANE (RFC 7672) against a validating resolver and a zone that was signed for the test: where mail
goes, and what posttls-finger, the tool of Postfix, says of the same domains."""

import hashlib
import ssl
import subprocess

import pytest

from certificates import Authority
from dns_servers import Unbound, signed
from messages import message
from peers.posttls_finger import PosttlsFinger
from processes import wait_until

NAME_SERVER = "127.0.53.25"  # on port 53: posttls-finger knows no other
WRONG = "aa" * 32


def public_key(certificate):
    """Of the leaf, as it stands in a TLSA record of selector 1."""
    pem = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"],
                         capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem,
                          capture_output=True, check=True).stdout


def whole(certificate):
    text = certificate.read_text()
    return ssl.PEM_cert_to_DER_cert(text[:text.index("-----END") + 25] + "\n")


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


def zone_text(port, identity, authority):
    """One domain for each case; each has a mail host of its own, and all are the same sink, whose
    certificate is for mx.trustanchor.dane.test."""
    key = public_key(identity.certificate)
    records = {
        "match": [f"3 1 1 {sha256(key)}"],
        "whole": [f"3 0 0 {whole(identity.certificate).hex()}"],
        "rollover": [f"3 1 1 {WRONG}", f"3 1 1 {sha256(key)}"],
        "trustanchor": [f"2 0 1 {sha256(whole(authority.file))}"],
        "mismatch": [f"3 1 1 {WRONG}"],
        # RFC 7671 section 9: the stronger digest decides, and it is wrong.
        "agility": [f"3 1 1 {sha256(key)}", f"3 1 2 {WRONG}{WRONG}"],
        "othername": [f"2 0 1 {sha256(whole(authority.file))}"],
        "unusable": [f"1 1 1 {WRONG}", f"3 1 77 {WRONG}"],
        "expired": [f"3 1 1 {sha256(key)}"],
        "norecords": [],
    }
    lines = []
    for name, tlsa in records.items():
        lines += [f"{name} MX 10 mx.{name}", f"mx.{name} A 127.0.0.1"]
        lines += [f"_{port}._tcp.mx.{name} TLSA {one}" for one in tlsa]
    lines += ["alias MX 10 mx.alias", "mx.alias CNAME mx.norecords",
              f"_{port}._tcp.mx.alias TLSA 3 1 1 {WRONG}",
              "elsewhere MX 10 mx.plain.test.",
              "fallback MX 10 mx.expired", "fallback MX 20 mx.match"]
    return "\n".join(lines) + "\n"


# What becomes of mail: delivered to a host that proved who it is, delivered encrypted, kept here.
EXPECTED = {
    "match.dane.test": "verified",
    "whole.dane.test": "verified",
    "rollover.dane.test": "verified",
    "trustanchor.dane.test": "verified",
    "fallback.dane.test": "verified",
    "unusable.dane.test": "encrypted",
    "norecords.dane.test": "encrypted",
    "elsewhere.dane.test": "encrypted",  # the domain is signed, its mail host is not
    "plain.test": "encrypted",  # nothing is signed, and the wrong record does not count
    "mismatch.dane.test": "kept",
    "agility.dane.test": "kept",
    "othername.dane.test": "kept",
    "alias.dane.test": "kept",
    "expired.dane.test": "kept",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def scene(authority, make_sink, tmp_path):
    """A sink and a resolver with everything about it."""
    identity = authority.issue("mx.trustanchor.dane.test")
    sink = make_sink(*identity.sink_options)
    plain = ("$ORIGIN plain.test.\n$TTL 60\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\n"
             f"ns A 127.0.0.1\n@ MX 10 mx\nmx A 127.0.0.1\n_{sink.port}._tcp.mx TLSA 3 1 1 {WRONG}\n")
    zones = {"dane.test": signed(tmp_path / "signed", "dane.test",
                                 zone_text(sink.port, identity, authority), ["expired"]),
             "plain.test": (plain, None)}
    resolver = Unbound(tmp_path / "unbound", zones, NAME_SERVER)
    yield sink, resolver
    resolver.stop()


def settings(sink, resolver, trust_ad=True):
    return {"dns": {"servers": [f"127.0.0.1:{resolver.port}"], "trust_ad": trust_ad},
            "delivery": {"port": sink.port, "prohibited_hosts": []}}


def verdict_of_finger(text):
    """It goes on with a certificate that is not good enough, where Postfix would not: whether it had
    records to hold against the certificate decides."""
    if "Verified TLS connection established" in text:
        return "verified"
    must_match = ("DNSSEC-signed TLSA record" in text
                  and "all TLSA records unusable" not in text)
    if "Untrusted TLS connection established" in text and not must_match:
        return "encrypted"
    return "kept"


def test_mail_goes_where_dane_lets_it_and_postfix_agrees(scene, make_relay, tmp_path):
    sink, resolver = scene
    relay = make_relay(config=settings(sink, resolver))
    for domain in EXPECTED:
        relay.inject(message(domain, b"hello\r\n"), f"reader@{domain}")

    def fate():
        found = {}
        for event in relay.events():
            domain = event["recipient"].partition("@")[2]
            if event["type"] == "Delivery":
                found[domain] = "encrypted" if event["tls_cipher"] else "clear"
            elif event["type"] in ("TransientFailure", "Bounce"):
                found.setdefault(domain, event["type"])
        return found if len(found) == len(EXPECTED) else None

    found = wait_until(fate, 30, "every message has been tried")
    as_expected = {domain: "TransientFailure" if how == "kept" else "encrypted"
                   for domain, how in EXPECTED.items()}
    assert found == as_expected
    assert len(sink.accepted()) == sum(how != "kept" for how in EXPECTED.values())
    reasons = {event["recipient"].partition("@")[2]: event["response"]
               for event in relay.events("TransientFailure")}
    assert "TLSA lookup for" in reasons["expired.dane.test"]["content"]
    assert reasons["mismatch.dane.test"]["enhanced_code"] == {"class": 4, "subject": 7, "detail": 5}

    def sessions(policy, result):
        return relay.metric("posthaste_tls_sessions_total", policy=policy, result=result)

    wait_until(lambda: sessions("dane", "verified") >= 5, 5, "what was verified is counted")
    assert sessions("dane", "verified") >= sum(how == "verified" for how in EXPECTED.values()) - 1
    assert sessions("dane", "unverified") == 1  # unusable.dane.test
    assert sessions("opportunistic", "unverified") >= 2

    finger = PosttlsFinger(tmp_path, NAME_SERVER)
    try:
        said = {domain: finger.ask(domain, sink.port, "-l", "dane", "-L", "verbose,summary")
                for domain in EXPECTED}
    finally:
        finger.stop()
    verdicts = {domain: verdict_of_finger(text) for domain, text in said.items()}
    assert verdicts == EXPECTED, said


def test_without_trust_in_the_resolver_nothing_is_held_against_anybody(scene, make_relay):
    """The AD bit of a resolver somewhere means nothing; a signature that does not hold is SERVFAIL
    from there, which is why expired.dane.test would be opportunistic too: nobody asks."""
    sink, resolver = scene
    relay = make_relay(config=settings(sink, resolver, trust_ad=False))
    for domain in ("match.dane.test", "mismatch.dane.test", "expired.dane.test"):
        relay.inject(message(domain, b"hello\r\n"), f"reader@{domain}")
    for event in relay.wait_for_events("Delivery", 3):
        assert event["tls_cipher"], event
    assert relay.metric("posthaste_dns_lookups_total", type="tlsa") == 0
    assert relay.metric("posthaste_tls_sessions_total", policy="dane") == 0
