"""Routing by MX against real name servers: what dns_probe prints is what the relay would do."""

import json
import subprocess
import time

import pytest

from dns_servers import REFUSED, SERVFAIL, Dnsmasq, Nsd, ScriptedServer, mx
from processes import program

EIGHT = [f"mx{i}.eight.test" for i in range(8)]
FIFTY = [f"mx{i:02}-with-a-quite-long-host-name.fifty.test" for i in range(50)]

ZONES = {
    "usual.test": """
@ 120 MX 10 mx1
@ 120 MX 20 mx2
mx1 90 A 192.0.2.1
mx1 80 AAAA 2001:db8::1
mx2 A 192.0.2.2
*.wild MX 5 mx1
here.wild TXT "exists, so the wildcard does not apply"
here.wild A 192.0.2.3
""",
    "aonly.test": "@ A 192.0.2.10\n",
    "aaaaonly.test": "@ AAAA 2001:db8::10\n",
    "bare.test": "@ TXT \"neither MX nor address\"\n",
    "nullmx.test": "@ MX 0 .\n@ A 192.0.2.20\n",
    "nullandother.test": "@ MX 0 .\n@ MX 10 mx\nmx A 192.0.2.21\n",
    "aliasmx.test": "@ MX 10 alias\nalias CNAME real\nreal A 192.0.2.22\n",
    "literal.test": "@ MX 10 192.0.2.23.\n@ A 192.0.2.24\n",
    "loopback.test": "@ MX 10 mx\nmx A 127.0.0.1\nmx AAAA ::1\n",
    "half.test": "@ MX 10 mx\nmx A 127.0.0.1\nmx A 192.0.2.25\n",
    "eight.test": "".join(f"@ MX 10 mx{i}\nmx{i} A 192.0.2.{30 + i}\n" for i in range(8)),
    "fifty.test": "".join(f"@ MX 10 {host}.\n{host}. A 198.51.100.{i}\n"
                          for i, host in enumerate(FIFTY)),
    "self.test": """
@ MX 10 better
@ MX 20 mta1.us.test.
@ MX 20 equal
@ MX 30 worse
better A 192.0.2.50
""",
    "loop.test": "@ MX 10 mta1.us.test.\n@ MX 20 worse\n",
    "byaddress.test": "@ MX 10 mx\nmx A 192.0.2.99\n",
    "us.test": "mta1 A 192.0.2.99\n",
    "zero.test": "@ 0 MX 10 mx\nmx 0 A 192.0.2.60\n",
    "deadmx.test": "@ MX 10 gone.usual.test.\n@ A 192.0.2.61\n",
    "alias.test": """
to CNAME target
target MX 10 mx
mx A 192.0.2.70
out CNAME usual.test.
bare CNAME end
end A 192.0.2.71
nowhere CNAME nothing
one CNAME two
two CNAME one
""",
}

RULES = ["--own-name", "mta1.us.test", "--own-address", "192.0.2.99"] + [
    part for network in ("127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128")
    for part in ("--prohibited", network)]


def probe(port, *domains, options=()):
    """{domain: what was printed for it}; under None the counters."""
    command = [program("dns_probe"), "--server", f"127.0.0.1:{port}", *options, *domains]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    printed = {}
    for line in done.stdout.splitlines():
        item = json.loads(line)
        printed[item.get("domain")] = item
    return printed


@pytest.fixture(scope="module")
def nsd(tmp_path_factory):
    server = Nsd(tmp_path_factory.mktemp("nsd"), ZONES)
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["nsd", "dnsmasq"])
def server(request, nsd, tmp_path_factory):
    """The zones from their authoritative server, and through a caching forwarder."""
    if request.param == "nsd":
        yield nsd
        return
    forwarder = Dnsmasq(tmp_path_factory.mktemp("dnsmasq"), nsd.port, "usual.test")
    yield forwarder
    forwarder.stop()


def ask(server, domain):
    return probe(server.port, domain, options=RULES)[domain]


def addresses(item):
    return {host["host"]: host.get("addresses") for host in item["hosts"]}


def test_preferences_and_addresses(server):
    item = ask(server, "Usual.TEST.")
    assert item["order"] == ["mx1.usual.test", "mx2.usual.test"]
    assert [group["preference"] for group in item["groups"]] == [10, 20]
    assert item["site"] == "(mx1|mx2).usual.test"
    assert addresses(item) == {"mx1.usual.test": ["192.0.2.1", "2001:db8::1"],
                               "mx2.usual.test": ["192.0.2.2"]}
    assert not item["implicit"] and not item["authenticated"]
    assert 118 <= item["ttl"] <= 120
    assert 78 <= item["hosts"][0]["ttl"] <= 80


def test_domain_that_does_not_exist(server):
    failure = ask(server, "no.usual.test")["failure"]
    assert (failure["kind"], failure["reply"]) == ("no_such_domain", "550 5.1.2")
    assert failure["ttl"] > 30  # the SOA says 300


@pytest.mark.parametrize("domain, address", [("aonly.test", "192.0.2.10"),
                                             ("aaaaonly.test", "2001:db8::10")])
def test_implicit_mx(server, domain, address):
    item = ask(server, domain)
    assert item["implicit"]
    assert addresses(item) == {domain: [address]}


def test_domain_without_mx_and_address(server):
    item = ask(server, "bare.test")
    assert item["implicit"]
    assert item["hosts"][0]["failure"]["reply"] == "550 5.4.4"


def test_wildcard_stops_at_existing_names(server):
    assert ask(server, "any.wild.usual.test")["order"] == ["mx1.usual.test"]
    item = ask(server, "here.wild.usual.test")
    assert item["implicit"] and addresses(item) == {"here.wild.usual.test": ["192.0.2.3"]}


def test_null_mx(server):
    failure = ask(server, "nullmx.test")["failure"]
    assert (failure["kind"], failure["reply"]) == ("null_mx", "556 5.1.10")


def test_null_mx_among_others_is_ignored(server):
    assert addresses(ask(server, "nullandother.test")) == {"mx.nullandother.test": ["192.0.2.21"]}


def test_mx_that_is_an_alias(server):
    item = ask(server, "aliasmx.test")
    assert addresses(item) == {"alias.aliasmx.test": ["192.0.2.22"]}
    assert item["hosts"][0]["canonical"] == "real.aliasmx.test"
    assert item["site"] == "alias.aliasmx.test"


def test_mx_that_is_an_address(server):
    failure = ask(server, "literal.test")["failure"]
    assert (failure["kind"], failure["reply"]) == ("unusable", "550 5.4.4")


def test_mx_that_does_not_exist_is_no_reason_to_use_the_domains_address(server):
    item = ask(server, "deadmx.test")
    assert not item["implicit"]
    assert [host["failure"]["reply"] for host in item["hosts"]] == ["550 5.4.4"]


def test_mx_on_loopback_is_prohibited(server):
    failure = ask(server, "loopback.test")["hosts"][0]["failure"]
    assert (failure["kind"], failure["reply"]) == ("prohibited", "550 5.4.4")
    assert addresses(ask(server, "half.test")) == {"mx.half.test": ["192.0.2.25"]}
    without_rules = probe(server.port, "loopback.test")["loopback.test"]
    assert addresses(without_rules) == {"mx.loopback.test": ["127.0.0.1", "::1"]}


def test_equal_preferences_are_shuffled_in_each_plan(server):
    orders = set()
    for _ in range(6):
        item = ask(server, "eight.test")
        assert sorted(item["order"]) == EIGHT
        orders.add(tuple(item["order"]))
    assert len(orders) > 1  # all six alike: once in 8!^5 runs


def test_fifty_mx_come_by_tcp(server):
    printed = probe(server.port, "fifty.test", options=RULES)
    item = printed["fifty.test"]
    assert sorted(item["order"]) == FIFTY
    assert len(item["site"]) <= 160 and "#" in item["site"]
    assert sum(len(found) for found in addresses(item).values()) == 50
    assert printed[None]["counters"]["over_tcp"] == 1


def test_own_host_drops_its_preference_and_worse(server):
    item = ask(server, "self.test")
    assert item["order"] == ["better.self.test"]
    failure = ask(server, "loop.test")["failure"]
    assert (failure["kind"], failure["reply"]) == ("own_host", "554 5.4.6")
    failure = ask(server, "byaddress.test")["hosts"][0]["failure"]
    assert (failure["kind"], failure["reply"]) == ("own_host", "554 5.4.6")


def test_ttl_of_zero_is_held_for_half_a_minute(server):
    item = ask(server, "zero.test")
    assert item["ttl"] == 30 and item["hosts"][0]["ttl"] == 30


def test_aliases_of_the_domain(server):
    printed = probe(server.port, "to.alias.test", "out.alias.test", "bare.alias.test",
                    "nowhere.alias.test", options=RULES)
    assert printed["to.alias.test"]["order"] == ["mx.alias.test"]
    assert printed["to.alias.test"]["canonical"] == "target.alias.test"
    assert printed["out.alias.test"]["order"] == ["mx1.usual.test", "mx2.usual.test"]
    assert printed["bare.alias.test"]["order"] == ["end.alias.test"]
    assert printed["bare.alias.test"]["implicit"]
    assert printed["nowhere.alias.test"]["failure"]["reply"] == "550 5.1.2"


def test_aliases_in_a_circle_are_temporary(server):
    started = time.monotonic()
    assert ask(server, "one.alias.test")["failure"]["reply"] == "451 4.4.3"
    assert time.monotonic() - started < 15


def test_names_that_are_no_domains(server):
    for domain in ("a..b", "[192.0.2.1]", "192.0.2.1", "under score.test"):
        assert ask(server, domain)["failure"]["reply"] == "550 5.1.2"


def test_thousand_domains_at_once(nsd):
    domains = [f"d{i}.wild.usual.test" for i in range(1000)]
    printed = probe(nsd.port, *domains, options=["--rounds", "2"])
    assert all(printed[domain]["order"] == ["mx1.usual.test"] for domain in domains)
    counters = printed[None]["counters"]
    assert counters["queries"] == 1000 + 2  # each domain's MX, and mx1's A and AAAA, once
    assert counters["delayed"] >= 1000 - 128  # so many lookups are under way at once


@pytest.fixture
def scripted():
    started = []

    def start(script):
        started.append(ScriptedServer(script))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.mark.parametrize("code", [SERVFAIL, REFUSED])
def test_server_that_fails_defers(scripted, code):
    server = scripted(lambda query, over_tcp: query.reply(code=code))
    failure = ask(server, "fails.test")["failure"]
    assert (failure["kind"], failure["reply"]) == ("temporary", "451 4.4.3")
    assert failure["ttl"] == 5


def test_server_that_is_silent_defers(scripted):
    server = scripted(lambda query, over_tcp: None)
    printed = probe(server.port, "silent.test", options=["--first-timeout", "100"])
    assert printed["silent.test"]["failure"]["reply"] == "451 4.4.3"
    assert "in time" in printed["silent.test"]["failure"]["text"]
    assert len(server.queries) == 4  # a short try, and three in the slow lane (docs/dns.md)


def test_address_lookup_that_fails_is_temporary(scripted):
    def script(query, over_tcp):
        if query.type == 15:
            return query.reply([mx(10, "mx.fails.test")])
        return query.reply(code=SERVFAIL)

    item = ask(scripted(script), "fails.test")
    assert item["hosts"][0]["failure"]["reply"] == "451 4.4.3"


def test_truncation_leads_to_tcp_and_ends_there(scripted):
    def script(query, over_tcp):
        if query.name == "endless.test":
            return query.reply([mx(10, "mx.test")], truncated=True)
        return query.reply([mx(10, "mx.test")] if over_tcp else [], truncated=not over_tcp)

    server = scripted(script)
    assert ask(server, "once.test")["order"] == ["mx.test"]
    assert server.queries[:2] == [("once.test", 15, False), ("once.test", 15, True)]
    assert ask(server, "endless.test")["failure"]["reply"] == "451 4.4.3"


def test_garbage_defers(scripted):
    bad = {"pointer.test": b"\xc0\x0c" * 40, "empty.test": b"", "counts.test": b"\0" * 3}

    def script(query, over_tcp):
        head = query.reply()[:4] + b"\0\1\0\7\0\0\0\0" + query.question
        return head + bad[query.name]

    server = scripted(script)
    for domain in bad:
        assert ask(server, domain)["failure"]["reply"] == "451 4.4.3"


def test_second_server_answers_when_the_first_is_gone(scripted, nsd):
    silent = scripted(lambda query, over_tcp: None)
    printed = probe(silent.port, "usual.test",
                    options=["--server", f"127.0.0.1:{nsd.port}", "--first-timeout", "100"])
    assert printed["usual.test"]["order"] == ["mx1.usual.test", "mx2.usual.test"]
