"""What an operator meets: mistakes that are named, files that are none, folders that fail, wrong words."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from messages import message
from processes import free_port, program, wait_until
from relay import toml_text


def posthaste(*words):
    done = subprocess.run([program("posthaste"), *words], capture_output=True, text=True, check=False,
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


# Words ---------------------------------------------------------------------------------------------
# U13
@pytest.mark.parametrize("words,says", [
    (["chekc"], 'there is no command "chekc"; is "check" meant?'),
    (["spool", "dmup", "x"], 'there is no command "dmup"; is "dump" meant?'),
    (["check", "--confg", "x"], 'there is no option "--confg"; is "--config" meant?'),
    (["spool", "dump"], "DIR is required"),
    (["serve", "--config"], "--config"),
    (["colour"], 'there is no command "colour"'),
    ([], "--help"),
    (["spool"], "dump"),
])
def test_a_misspelt_command_is_named(words, says):
    status, output = posthaste(*words)
    assert status == 2 and says in output, (status, output)


def test_help_and_version_are_no_mistakes():
    for words in (["--help"], ["serve", "--help"], ["--version"]):
        status, output = posthaste(*words)
        assert status == 0 and output, (words, status, output)
    assert "/etc/posthaste/posthaste.toml" in posthaste("check", "--help")[1]


def test_without_config_the_usual_file_is_read():
    if pathlib.Path("/etc/posthaste/posthaste.toml").exists():
        pytest.skip("this machine has one")
    status, output = posthaste("check")
    assert status == 1 and "/etc/posthaste/posthaste.toml: cannot be read" in output, output


# Paths ---------------------------------------------------------------------------------------------
def test_path_show_names_the_line_of_each_limit(tmp_path):
    (tmp_path / "shaping.toml").write_text('[provider."google"]\nprovider_connection_limit = 7\n')
    config = tmp_path / "posthaste.toml"
    config.write_text('[node]\nhostname = "mta1.example"\ndata_dir = "%s"\n[shaping]\n'
                      'files = ["shaping.toml"]\n[[listener]]\naddress = ["127.0.0.1:0"]\n' % tmp_path)
    status, output = posthaste("path", "show", "gmail.com", "--mx", "alt1.l.google.com", "--mx",
                               "alt2.l.google.com", "--config", str(config))
    assert status == 0 and "provider:  google" in output, output
    said = {line.split()[0]: line for line in output.splitlines() if line.startswith("  ")}
    assert f"{tmp_path}/shaping.toml:2 " in said["provider_connection_limit"], output
    assert "built-in shaping file:" in said["max_deliveries_per_connection"], output
    assert said["connection_limit"].endswith(" default"), output
    config.write_text("[shaping]\nfiles = 1\n")
    status, output = posthaste("path", "show", "gmail.com", "--config", str(config))
    assert status == 1 and "posthaste.toml:2: " in output, output


def test_path_show_prints_the_built_in_shaping_file():
    status, output = posthaste("path", "show", "--built-in")
    assert status == 0
    assert output == (pathlib.Path(__file__).parents[2] / "relay/shaping/shaping.toml").read_text()
    status, output = posthaste("path", "show")
    assert status == 2 and "needs a DOMAIN" in output, output


# Files ---------------------------------------------------------------------------------------------
def things(folder):
    """What may stand in place of a file."""
    folder.mkdir()
    (folder / "directory").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "zero").symlink_to("/dev/zero")
    with open(folder / "large", "wb") as large:
        large.truncate(1 << 40)
    (folder / "binary").write_bytes(bytes(range(256)) * 16)
    (folder / "empty").write_bytes(b"")
    return sorted(folder.iterdir())


FILES = {
    "shaping": lambda thing: {"shaping": {"files": [thing]}},
    "bounce": lambda thing: {"bounce": {"files": [thing]}},
    "tls_ca_file": lambda thing: {"delivery": {"tls_ca_file": thing}},
    "password_file": lambda thing: {"route": [{"domain": "*", "hosts": ["127.0.0.1:9"],
                                               "username": "mta", "password_file": thing}]},
    "private_key": lambda thing: {"route": [{"domain": "*", "hosts": ["127.0.0.1:9"],
                                             "certificate": thing, "private_key": thing}]},
}


# H4
@pytest.mark.parametrize("key", FILES)
def test_a_file_that_is_none_is_a_mistake_and_a_reload_changes_nothing(make_relay, make_sink, tmp_path,
                                                                        key):
    sink = make_sink()
    relay = make_relay({"*": sink.port})
    for thing in things(tmp_path / "things"):
        if thing.name == "empty" and key in ("shaping", "bounce"):
            continue  # says nothing, which is allowed
        relay.config_file.write_text(toml_text(relay.config | FILES[key](str(thing))))
        status, output = posthaste("check", "--config", str(relay.config_file))
        assert status == 1 and f"{thing}" in output, (thing, status, output)
        assert output.count("\n") <= 3 and f"{tmp_path}" in output, output
        said = relay.process.output().count("reload: refused")
        relay.process.signal(signal.SIGHUP)
        wait_until(lambda: relay.process.output().count("reload: refused") > said, 20,
                   f"a reload with {thing.name} is refused")
    relay.inject(message("still", b"hello\r\n"), "reader@sink.test")
    relay.wait_for_events("Delivery", 1)


# L5
def test_a_fifo_blocks_neither_a_reload_nor_the_end(make_relay, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    relay = make_relay({"*": free_port()})
    relay.config_file.write_text(toml_text(relay.config | FILES["shaping"](str(fifo))))
    relay.process.signal(signal.SIGHUP)
    relay.process.wait_for_output("is a FIFO, not a file")
    relay.process.signal(signal.SIGHUP)
    relay.process.signal(signal.SIGTERM)
    assert relay.process.wait(30) == 0


# Descriptors ---------------------------------------------------------------------------------------
def test_too_few_descriptors_are_a_warning_with_the_number_to_write(make_relay):
    """`check` and the log at the start name the limit, what may be used, and what to write; with
    that number neither says anything."""
    wanted = {"max_connections": 400}
    relay = make_relay({"*": free_port()}, smtp=wanted, http=wanted, start=False)
    relay.config_file.write_text(toml_text(relay.config))

    def check(limit):
        done = subprocess.run(["prlimit", f"--nofile={limit}:{limit}", program("posthaste"), "check",
                               "--config", relay.config_file], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stderr

    said = re.fullmatch(r".*\(RLIMIT_NOFILE\) is 256, .* use (\d+): 800 connections of clients .*"
                        r"LimitNOFILE=(\d+) .*\n", check(256))
    assert said and said[1] == said[2] and int(said[1]) > 800 * 4 / 3
    assert check(int(said[1])) == ""
    assert "LimitNOFILE" in check(int(said[1]) - 1)
    relay.launcher = ["prlimit", "--nofile=100:256"]  # the soft limit does not matter
    relay.start()
    assert re.search(r"RLIMIT_NOFILE\) is 256, .*LimitNOFILE=\d+", relay.process.output())
    relay.stop()
    relay.launcher = ["prlimit", f"--nofile={said[1]}:{said[1]}"]
    relay.process.log.unlink()
    relay.start()
    assert "NOFILE" not in relay.process.output()


# The event folder ----------------------------------------------------------------------------------
# M5
@pytest.mark.hostile
def test_an_event_folder_that_fails_costs_records_not_mail(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, config={"events": {"log_rotate_size": "1MiB"}}, start=False)
    events = relay.folder / "data" / "events"
    away = relay.folder / "away"
    events.mkdir(parents=True)
    events_file = events / "events.jsonl"
    events_file.write_bytes(b"\n" * (1 << 20))  # full: the first record is due to put it aside
    relay.start()

    def deliver(name):
        relay.inject(message(name, b"hello\r\n"), f"{name}@sink.test")
        wait_until(lambda: f"{name}@sink.test" in {one for _, one in sink.accepted()}, 30, name)

    events.rename(away)
    events.symlink_to("events")  # every name below it is ELOOP
    deliver("during")
    relay.process.wait_for_output("event log: a full file cannot be put aside")
    events.unlink()
    away.rename(events)
    deliver("after")
    wait_until(lambda: "after@sink.test" in events_file.read_text(), 30, "records are written again")
    assert "during@sink.test" in events_file.read_text()  # it was open
    assert relay.get("/healthz")[0] == 200
