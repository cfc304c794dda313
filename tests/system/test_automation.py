"""Rules of automation in a real process: a receiver says that it has enough, and what follows holds over a
restart, also by SIGKILL; it ends by its time. A reload takes new rules, and one that is wrong changes nothing."""

import signal
import time

import pytest

from hostile import ScriptedServer, honest
from messages import message
from processes import wait_until

RULE = """
[["default".automation]]
regex = 'slow down'
action = {action}
duration = "{duration}"
"""


@pytest.fixture
def make_server():
    servers = []

    def make(behave):
        servers.append(ScriptedServer(behave))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def refuses(talk):
    talk.say(b"421 4.7.0 slow down\r\n")


def start(make_relay, tmp_path, server, action, duration="1h"):
    shaping = tmp_path / "shaping.toml"
    shaping.write_text(RULE.format(action=action, duration=duration))
    relay = make_relay(routes={"*": server.port}, config={"shaping": {"files": [str(shaping)]}})
    return relay, shaping


def suspended(relay):
    return relay.metric("posthaste_suspensions", kind="suspend-path")


def inject(relay, number):
    relay.inject(message(f"automation-{number}", b"hello\r\n"), f"user{number}@there.test")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_suspension_goes_on_after_a_restart(make_relay, make_server, tmp_path, how):
    server = make_server(refuses)
    relay, shaping = start(make_relay, tmp_path, server, '"Suspend"')
    inject(relay, 1)
    wait_until(lambda: suspended(relay) == 1, 10, "the path is suspended")
    log = relay.process.output()
    assert f"{shaping}:2, as the reply was: 421 4.7.0 slow down" in log
    assert relay.metric("posthaste_automation_actions_total", action="suspend") == 1
    kept = relay.folder / "data" / "automation"
    wait_until(lambda: kept.exists() and "slow down" in kept.read_text(), 10, "the action is kept")
    server.healed.set()
    if how == signal.SIGKILL:
        relay.process.kill()
    else:
        relay.stop()
    relay.start(log="second.log")
    assert suspended(relay) == 1
    tried = server.connections
    inject(relay, 2)
    time.sleep(2)  # mail is due again after 300 ms and 1 s
    assert server.connections == tried
    assert server.delivered == []
    assert relay.metric("posthaste_queue_recipients") == 2


def test_a_suspension_ends_by_its_time_though_its_rule_is_gone(make_relay, make_server, tmp_path):
    server = make_server(refuses)
    relay, shaping = start(make_relay, tmp_path, server, '"Suspend"', "4s")
    inject(relay, 1)
    wait_until(lambda: suspended(relay) == 1, 10, "the path is suspended")
    server.healed.set()
    shaping.write_text("")
    relay.process.signal(signal.SIGHUP)
    relay.process.wait_for_output("reloaded")
    assert "automation]] \"slow down\" → suspend for 4s" in relay.process.output()
    assert server.delivered == []
    relay.wait_until_empty(20)
    assert len(server.delivered) == 1
    assert suspended(relay) == 0


def test_a_reload_with_a_wrong_rule_changes_nothing(make_relay, make_server, tmp_path):
    server = make_server(refuses)
    relay, shaping = start(make_relay, tmp_path, server, '"Suspend"')
    good = shaping.read_text()
    for wrong, sentence in [
            (good.replace("'slow down'", "'slow ('"), "is no pattern"),
            (good.replace('"Suspend"', '"Dance"'), "action must be one of"),
            (good.replace('"1h"', '"soon"'), 'duration must be a time such as "1h"'),
            (good.replace('"Suspend"', "{PosthasteReduce={factor=1.5}}"),
             "PosthasteReduce must be {factor=F}, with F from 0.1 to 0.9"),
            (good.replace('"Suspend"', '{SetConfig={name="provider_connection_limit", value=1}}'),
             "sets provider_connection_limit, which belongs to a provider")]:
        shaping.write_text(wrong)
        relay.process.signal(signal.SIGHUP)
        relay.process.wait_for_output(sentence)
        relay.process.wait_for_output("reload: refused; what is in force stays")
    inject(relay, 1)
    wait_until(lambda: suspended(relay) == 1, 10, "the old rule is in force")


def test_an_option_is_set_for_a_time(make_relay, make_server, tmp_path):
    def behave(talk):
        if talk.number == 1:
            refuses(talk)
        else:
            honest(talk)

    server = make_server(behave)
    relay, _ = start(make_relay, tmp_path, server,
                     '{SetConfig={name="max_message_rate", value="1/s"}}', "6s")
    inject(relay, 1)
    wait_until(lambda: relay.metric("posthaste_automation_actions_total", action="set_config") == 1,
               10, "the option is set")
    began = time.monotonic()
    for number in range(2, 40):
        inject(relay, number)
    time.sleep(3)
    taken, passed = len(server.delivered), time.monotonic() - began
    assert taken <= passed + 2
    relay.wait_until_empty(30)
    assert len(server.delivered) == 39
