"""The program as a process: start and mistakes of configuration, io_uring refused and what stands in,
SIGTERM."""

import json
import pathlib
import platform
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from dns_servers import ScriptedServer
from hostile import RawClient
from messages import message
from processes import Process, connects, free_port, program, wait_until
from relay import inject_with, toml_text

DENY = [sys.executable, str(pathlib.Path(__file__).with_name("deny_io_uring.py"))]


def check(config_file):
    return subprocess.run([program("posthaste"), "check", "--config", str(config_file)],
                          capture_output=True, text=True, check=False, timeout=30)


def test_a_good_configuration_is_good(make_relay):
    relay = make_relay({"*": free_port()}, start=False)
    relay.config_file.write_text(toml_text(relay.config))
    done = check(relay.config_file)
    assert done.returncode == 0, done.stdout + done.stderr


MISTAKES = {
    "unknown key": ('[node]\nhostname = "a.test"\ncolour = "red"\n', 3, "colour"),
    "wrong type": ('[node]\nhostname = "a.test"\nshards = "two"\n', 3, "shards"),
    "impossible value": ('[retry]\nintervals = ["1m"]\nmax_age = "never"\n', 3, "max_age"),
    "bad address": ('[[listener]]\nname = "smtp"\nprotocol = "smtp"\naddress = ["nowhere:x"]\n', 4,
                    "address"),
    "open relay": ('[[listener]]\nname = "smtp"\nprotocol = "smtp"\naddress = ["127.0.0.1:2525"]\n'
                   'allow = ["0.0.0.0/0"]\n', 5, "allow"),
    "broken TOML": ('[node]\nhostname = "a.test\n', 2, ""),
}
REST = """
[spool]
durability = "memory"
[[listener]]
name = "other"
protocol = "smtp"
address = ["127.0.0.1:2599"]
"""


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_mistakes_are_reported_with_file_and_line(tmp_path, mistake, command):
    text, line, word = MISTAKES[mistake]
    file = tmp_path / "posthaste.toml"
    file.write_text(text + REST)
    done = subprocess.run([program("posthaste"), command, "--config", str(file)],
                          capture_output=True, text=True, check=False, timeout=30)
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert f"{file}:{line}" in output and word in output, output


def test_several_mistakes_are_reported_together(tmp_path):
    file = tmp_path / "posthaste.toml"
    file.write_text('[node]\nshards = -1\n[delivery]\nport = 70000\n' + REST)
    done = check(file)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"{file}:2" in output and f"{file}:4" in output, output


def test_a_missing_file_is_an_error_and_so_is_no_command(tmp_path):
    done = check(tmp_path / "nothing.toml")
    assert done.returncode == 1 and "nothing.toml" in done.stdout + done.stderr
    done = subprocess.run([program("posthaste")], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "--help" in done.stdout + done.stderr


def test_a_port_in_use_is_said(make_relay):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        relay = make_relay(start=False, smtp={"address": [f"127.0.0.1:{port}"]})
        relay.start(wait=False)
        assert relay.process.wait() not in (0, None)
        assert str(port) in relay.process.output(), relay.process.output()
        relay.process = None


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS", "ENOMEM", "EINVAL"])
def test_where_io_uring_is_refused_epoll_stands_in(make_relay, make_sink, error):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"io_backend": "auto"}}, launcher=[*DENY, error])
    log = relay.process.output()
    lines = [line for line in log.splitlines() if "I/O backend" in line]
    assert len(lines) == 1 and "warn" in lines[0], log
    assert "I/O backend: epoll" in lines[0] and "io_uring is unavailable" in lines[0], lines[0]
    assert relay.metric("posthaste_io_backend_info") == 1
    assert relay.metric("posthaste_io_backend_info", backend="epoll", reason=error) == 1
    relay.inject(message("epoll", b"hello\r\n"), [f"r{i}@receiver.test" for i in range(3)])
    relay.wait_for_events("Delivery", 3)
    assert relay.metric("posthaste_io_submitted_total") > 0


def test_epoll_is_used_when_it_is_asked_for(make_relay):
    relay = make_relay({"*": free_port()}, config={"node": {"io_backend": "epoll"}})
    assert "I/O backend: epoll (configured)" in relay.process.output()
    assert relay.metric("posthaste_io_backend_info", backend="epoll", reason="configured") == 1


def test_io_uring_is_used_where_it_works(make_relay):
    relay = make_relay({"*": free_port()}, config={"node": {"io_backend": "auto"}})
    assert "I/O backend: io_uring (probed)" in relay.process.output()
    assert relay.metric("posthaste_io_backend_info", backend="io_uring", reason="probed") == 1


# A sandbox that does not know RWF_DSYNC (gVisor): the octets are synced all the same.
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of pwritev2")
def test_a_spool_is_written_where_synced_writes_are_refused(make_relay, make_sink):
    sink = make_sink()
    deny = [*DENY, "EOPNOTSUPP", "--also=328"]  # pwritev2
    relay = make_relay({"*": sink.port}, config={"node": {"io_backend": "auto"}}, launcher=deny)
    assert relay.metric("posthaste_io_backend_info", backend="epoll", reason="EOPNOTSUPP") == 1
    relay.inject(message("epoll", b"hello\r\n"), ["r@receiver.test"])
    relay.wait_for_events("Delivery", 1)


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_io_uring_refused_is_one_clear_line_for_who_insists(make_relay, error):
    relay = make_relay({"*": free_port()}, config={"node": {"io_backend": "io_uring"}}, start=False,
                       launcher=[*DENY, error])
    relay.start(wait=False)
    status = relay.process.wait()
    output = relay.process.output()
    relay.process = None
    lines = [line for line in output.splitlines() if "io_uring" in line]
    assert status == 1 and len(lines) == 1, (status, output)
    assert len(output.splitlines()) <= 2, output
    assert "seccomp" in lines[0] or "container" in lines[0], lines[0]


# The end -------------------------------------------------------------------------------------------
def test_sigterm_when_idle(make_relay):
    relay = make_relay({"*": free_port()})
    started = time.monotonic()
    assert relay.process.stop() == 0
    assert time.monotonic() - started < 10
    assert not connects(relay.smtp_port)


def test_sigterm_drains_what_was_accepted(make_relay, make_sink):
    """With the queue in memory, what was accepted and can be delivered is delivered before the end."""
    sink = make_sink("--rtt", "20ms")
    relay = make_relay({"*": sink.port}, config={"shaping": {"default": {"connection_limit": 2}}})
    count = 200
    with relay.client() as client:
        client.ehlo()
        for i in range(count):
            inject_with(client, message(f"drain-{i}", b"hello\r\n"), f"reader{i}@sink.test")
    assert len(sink.accepted()) < count, "the queue was meant to be full at this moment"
    assert relay.process.stop(60) == 0
    recipients = sorted(recipient for _, recipient in sink.wait_for(count))
    assert recipients == sorted(f"reader{i}@sink.test" for i in range(count))
    relay.assert_sound()
    assert len(relay.events("Delivery")) == count


def test_sigterm_answers_421_to_open_sessions(make_relay, make_sink):
    sink = make_sink("--rtt", "200ms")
    relay = make_relay({"*": sink.port}, config={"shaping": {"default": {"connection_limit": 1}}})
    with relay.client() as client:
        client.ehlo()
        for i in range(10):
            inject_with(client, message(f"busy-{i}", b"hello\r\n"), f"reader{i}@sink.test")
    with RawClient(relay.smtp_port) as open_session:
        open_session.greet()
        relay.process.signal(signal.SIGTERM)
        time.sleep(0.3)
        code, text = open_session.command("MAIL FROM:<news@sender.test>")
        assert code == 421 and text.startswith("4.3.2"), (code, text)
        assert open_session.until_closed() == []
    assert relay.process.wait(60) == 0
    assert len(sink.accepted()) == 10


def test_sigterm_ends_although_a_receiver_hangs(make_relay, make_sink):
    """A receiver that never answers does not keep the process: the drain has a limit."""
    sink = make_sink("--rule", "MAIL: stall")
    relay = make_relay({"*": sink.port})
    relay.inject(message("stuck", b"hello\r\n"), "reader@sink.test")
    wait_until(lambda: relay.metric("posthaste_queue_recipients", state="in_flight") == 1, 10,
               "the message is in flight")
    assert relay.process.stop(120) == 0


def test_sigterm_ends_although_dns_is_silent(make_relay):
    """Thousands of domains that nobody answers for: they wait for one another for minutes."""
    silent = ScriptedServer(lambda query, over_tcp: None)
    relay = make_relay(config={"dns": {"servers": [f"127.0.0.1:{silent.port}"]}})
    for group in range(4):
        relay.inject(message(f"nowhere-{group}", b"hello\r\n"),
                     [f"reader@d{i}.g{group}.test" for i in range(1000)])
    assert relay.process.stop(60) == 0
    stay = re.findall(r"(\d+) recipients stay in the spool", relay.process.output())
    assert sum(int(count) for count in stay) == 4000
    silent.stop()


def test_sighup_reloads_bounce_rules_or_nothing(make_relay, make_sink, tmp_path):
    sink = make_sink("--rule", "RCPT: 550 5.7.99 grommet misaligned")
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    relay = make_relay({"*": sink.port}, config={"bounce": {"files": [str(rules)]}})

    def classes():
        return [event["bounce_classification"] for event in relay.events("Bounce")]

    def bounce(number):
        relay.inject(message(f"reload-{number}", b"hello\r\n"), f"reader{number}@sink.test")
        wait_until(lambda: len(classes()) == number, 10, f"bounce {number}")

    bounce(1)
    rules.write_text('[[text]]\nclass = "VirusRelated"\nmatch = ["grommet misaligned"]\n')
    relay.process.signal(signal.SIGHUP)
    relay.process.wait_for_output("reloaded: bounce rules, shaping, routes and TLS files")
    bounce(2)
    rules.write_text('[[text]]\nclass = "SpamBlock"\nmatch = ["(grommet"]\n')
    relay.process.signal(signal.SIGHUP)
    relay.process.wait_for_output("reload: refused")
    assert f"{rules}:" in relay.process.output()
    bounce(3)
    assert classes()[0] != "VirusRelated"
    assert classes()[1:] == ["VirusRelated", "VirusRelated"]


def test_sighup_reloads_shaping_or_nothing(make_relay, make_sink, tmp_path):
    sink = make_sink()
    shaping = tmp_path / "shaping.toml"
    shaping.write_text('["slow.test"]\nmax_message_rate = "1/h"\n')
    relay = make_relay({"*": sink.port}, config={"shaping": {"files": [str(shaping)]}})

    def reload(text, answer):
        shaping.write_text(text)
        before = relay.process.output().count(answer)
        relay.process.signal(signal.SIGHUP)
        wait_until(lambda: relay.process.output().count(answer) > before, 10, answer)

    def inject(first, count):
        with relay.client() as client:
            client.ehlo()
            for i in range(first, first + count):
                inject_with(client, message(f"shape-{i}", b"hello\r\n"), f"reader{i}@slow.test")

    inject(0, 20)
    relay.wait_for_events("Delivery", 1)
    reload('["slow.test"]\nmax_message_rate = "1/h"\nconnection_limit = 0\n', "reload: refused")
    assert f"{shaping}:3: " in relay.process.output()
    time.sleep(1)
    assert len(relay.events("Delivery")) == 1, "the old limits are in force"
    reload('["slow.test"]\nmax_message_rate = "1000/s"\n'
           '["other.test"]\ndata_dot_timeout = "1m"\n', "reloaded: ")
    assert f"{shaping}:4: " in relay.process.output(), "a warning"
    assert len(relay.wait_for_events("Delivery", 20)) == 20  # no new mail was needed
    reload('["slow.test"]\nmax_message_rate = "1/h"\n', "reloaded: ")
    inject(20, 20)
    time.sleep(1)
    assert len(relay.events("Delivery")) <= 21
    relay.assert_sound()


def test_a_reload_names_each_changed_key_and_what_needs_a_restart(make_relay, make_sink, tmp_path):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"node": {"shards": 1}, "delivery": {"port": 26}})
    before = tmp_path / "before.toml"
    before.write_text(relay.config_file.read_text())

    def line_of(path, key):
        return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(f"{key} = "))

    text = relay.config_file.read_text().replace("shards = 1\n", "\nshards = 2\n").replace("port = 26", "port = 27")
    relay.config_file.write_text(text)
    shards = (f"{relay.config_file}:{line_of(relay.config_file, 'shards')}: [node] shards: 1 "
              f"({{}}:{line_of(before, 'shards')}) → 2")
    port = (f"{relay.config_file}:{line_of(relay.config_file, 'port')}: [delivery] port: 26 "
            f"({{}}:{line_of(before, 'port')}) → 27")
    listed = subprocess.run([program("posthaste"), "check", "--config", relay.config_file, "--against", before],
                            capture_output=True, text=True, check=True).stdout
    assert listed.splitlines()[:2] == [shards.format(before) + " (restart)", port.format(before) + " (reload)"]

    for reload in (1, 2):  # what needs a restart is named each time, what is in force once
        relay.process.signal(signal.SIGHUP)
        wait_until(lambda count=reload: relay.process.output().count("reloaded: ") == count, 10, "reloaded")
        output = relay.process.output()
        assert output.count(shards.format(relay.config_file) + "; a restart puts it in force") == reload
        assert output.count("reload: " + port.format(relay.config_file)) == 1
    relay.assert_sound()


def test_health_and_readiness(make_relay, make_sink):
    sink = make_sink("--rtt", "500ms")
    relay = make_relay({"*": sink.port}, config={"shaping": {"default": {"connection_limit": 1}}})
    assert relay.get("/healthz")[0] == 200
    assert relay.get("/readyz")[0] == 200
    with relay.client() as client:
        client.ehlo()
        for i in range(10):
            inject_with(client, message(f"slow-{i}", b"hello\r\n"), f"reader{i}@sink.test")
    relay.process.signal(signal.SIGTERM)

    def draining():
        try:
            return relay.get("/readyz")[0] == 503
        except OSError:
            return False

    wait_until(draining, 5, "not ready while draining")
    assert relay.get("/healthz")[0] == 200
    assert relay.process.wait(60) == 0


def test_events_are_complete(make_relay, make_sink):
    """One Reception, and the final event of each recipient, with the fields that users rely on."""
    sink = make_sink("--rule", "RCPT@no.test: 550 5.1.1 unknown")
    relay = make_relay({"*": sink.port})
    relay.inject(message("recorded", b"hello\r\n"), ["a@yes.test", "b@no.test"])
    delivery = relay.wait_for_events("Delivery", 1)[0]
    bounce = relay.wait_for_events("Bounce", 1)[0]
    reception = relay.wait_for_events("Reception", 1)[0]
    assert sorted(reception["recipient"]) == ["a@yes.test", "b@no.test"]
    assert delivery["recipient"] == "a@yes.test" and delivery["sender"] == "news@sender.test"
    assert delivery["response"]["code"] == 250 and delivery["num_attempts"] >= 1
    assert delivery["peer_address"]["addr"].startswith("127.0.0.1")
    assert bounce["recipient"] == "b@no.test" and bounce["response"]["code"] == 550
    assert bounce["response"]["enhanced_code"] == {"class": 5, "subject": 1, "detail": 1}
    assert len({event["id"] for event in (reception, delivery, bounce)}) == 1
    for event in (delivery, bounce):
        assert json.dumps(event) and re.fullmatch(r"\d{10}(\.\d+)?", str(event["timestamp"])), event


def test_the_load_source_runs_through(make_relay, make_sink, tmp_path):
    """Our own source, 20 sessions, 20,000 messages: each one exactly once at the sink."""
    sink = make_sink("--shards", "1")
    relay = make_relay({"*": sink.port})
    count = 20000
    source = Process([program("smtp_source"), "--to", f"127.0.0.1:{relay.smtp_port}",
                      "--messages", str(count), "--sessions", "20", "--size", "4096"],
                     tmp_path / "source.log")
    assert source.wait(120) == 0, source.output()
    ids = [entry[0] for entry in sink.wait_for(count, 120)]
    assert len(ids) == len(set(ids)) == count
    assert relay.metric("posthaste_messages_received_total") == count
    assert relay.metric("posthaste_deliveries_total", outcome="delivered") == count
