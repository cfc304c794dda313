"""What an operator does to a running relay through the command line, with restarts and kills between."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from messages import message
from processes import program, wait_until

ADMIN = {"serve": ["inject", "admin", "metrics"]}


class Operator:
    """posthaste ... --admin URL of a relay."""

    def __init__(self, relay, token=None):
        self.relay, self.token = relay, token

    def run(self, *words, good=True, secret=None):
        url = f"http://127.0.0.1:{self.relay.http_port}"
        env = dict(os.environ)
        if self.token or secret:
            env["POSTHASTE_TOKEN"] = secret or self.token
        done = subprocess.run([program("posthaste"), *words, "--admin", url], capture_output=True,
                              text=True, check=False, timeout=60, env=env)
        if good:
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        else:
            assert done.returncode != 0, (words, done.stdout)
        return done.stdout if good else done.stderr

    def ask(self, *words):
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def relay_and_sink(make_relay, make_sink):
    sink = make_sink()
    relay = make_relay({"*": sink.port}, http=ADMIN, config={"retry": {"intervals": ["30m"]}})
    return relay, sink, Operator(relay)


def inject(relay, count, domain, tag="m"):
    for number in range(count):
        relay.inject(message(f"{tag}{number}", b"hello\r\n"), [f"{tag}{number}@{domain}"])


def delivered(relay, domain):
    return [one["recipient"] for one in relay.events() if one["type"] == "Delivery"
            and one["recipient"].endswith("@" + domain)]


def start_again(relay):
    relay.runs = getattr(relay, "runs", 0) + 1
    relay.start(log=f"relay{relay.runs}.log")


def kill_and_start(relay):
    relay.process.kill()
    start_again(relay)


def drain_and_start(relay):
    relay.stop()
    start_again(relay)


@pytest.mark.parametrize("again", [kill_and_start, drain_and_start])
def test_a_suspension_survives_the_process_and_ends_when_it_is_told(relay_and_sink, again):
    relay, _, operator = relay_and_sink
    identity = operator.run("queue", "suspend", "--domain", "one.test", "--reason", "a holiday",
                            "--for", "2h").strip()
    inject(relay, 5, "one.test")
    inject(relay, 5, "two.test", "n")
    wait_until(lambda: len(delivered(relay, "two.test")) == 5, 20, "the other domain")
    again(relay)
    time.sleep(0.5)
    assert delivered(relay, "one.test") == []
    status = operator.ask("status")
    assert status["suspensions"] == 1 and status["suspended"] == 5 and status["state"] == "serving"
    (queue,) = operator.ask("queue", "list", "--domain", "one.test")["queues"]
    assert queue["scheduled"] == queue["suspended"] == 5
    assert queue["domain"] == "one.test" and queue["suspended_by"] == identity
    shown = operator.run("queue", "show")
    assert identity in shown and "a holiday" in shown and "domain one.test" in shown
    assert relay.metric("posthaste_suspensions", kind="suspend") == 1
    assert relay.metric("posthaste_suspended_recipients") == 5
    assert operator.run("queue", "resume", identity).strip() == identity
    wait_until(lambda: len(delivered(relay, "one.test")) == 5, 20, "what was suspended")
    again(relay)
    assert operator.ask("status")["suspensions"] == 0
    assert "no suspension" in operator.run("queue", "resume", identity, good=False)


def test_a_suspension_expires_by_itself(relay_and_sink):
    relay, _, operator = relay_and_sink
    operator.run("queue", "suspend", "--domain", "one.test", "--for", "3s")
    inject(relay, 1, "one.test")
    time.sleep(1)
    assert delivered(relay, "one.test") == []
    wait_until(lambda: len(delivered(relay, "one.test")) == 1, 20, "the end of the suspension")
    assert operator.run("queue", "show").count("suspend") <= 1  # the heading


def test_a_bounce_ends_old_and_new_mail(make_relay, make_sink):
    relay = make_relay({"*": 1}, http=ADMIN, config={"retry": {"intervals": ["30m"]}})
    operator = Operator(relay)
    inject(relay, 4, "one.test")
    inject(relay, 2, "two.test", "n")
    wait_until(lambda: len([one for one in relay.events() if one["type"] == "TransientFailure"]) == 6,
               30, "deferrals")
    operator.run("queue", "bounce", "--domain", "one.test", "--reason", "a list that was bought")
    inject(relay, 1, "one.test", "later")

    def bounced():
        return [one for one in relay.events() if one["type"] == "AdminBounce"]
    wait_until(lambda: len(bounced()) == 5, 20, "AdminBounce events")
    assert {one["recipient"] for one in bounced()} == {
        "m0@one.test", "m1@one.test", "m2@one.test", "m3@one.test", "later0@one.test"}
    assert bounced()[0]["response"]["content"] == (
        "Administrator bounced with reason: a list that was bought")
    kill_and_start(relay)
    assert operator.ask("status")["bounces"] == 1
    inject(relay, 1, "one.test", "after")
    wait_until(lambda: len(bounced()) == 6, 20, "a bounce after the kill")
    operator.run("queue", "resume", "--domain", "one.test")
    assert operator.ask("status")["bounces"] == 0


def test_a_path_is_suspended_by_its_site(relay_and_sink):
    relay, sink, operator = relay_and_sink
    site = f"127.0.0.1:{sink.port}"
    operator.run("queue", "suspend", "--site", site, "--source", "default")
    inject(relay, 3, "one.test")
    kill_and_start(relay)
    time.sleep(0.5)
    assert delivered(relay, "one.test") == []
    assert relay.metric("posthaste_suspensions", kind="suspend-path") == 1
    operator.run("queue", "resume", "--all")
    wait_until(lambda: len(delivered(relay, "one.test")) == 3, 20, "the path")


def test_retry_now_and_message_show(make_relay, make_sink):
    relay = make_relay({"*": 1}, http=ADMIN, config={"retry": {"intervals": ["30m"]}})
    operator = Operator(relay)
    inject(relay, 1, "one.test")

    def tries():
        return len([one for one in relay.events() if one["type"] == "TransientFailure"])
    wait_until(lambda: tries() == 1, 30, "a deferral")
    identity = [one["id"] for one in relay.events() if one["type"] == "Reception"][0]
    shown = operator.ask("message", "show", identity)
    (recipient,) = shown["recipients"]
    assert shown["sender"] == "news@sender.test" and recipient["recipient"] == "m0@one.test"
    assert recipient["state"] == "scheduled" and recipient["num_attempts"] == 1
    assert "m0@one.test" in operator.run("message", "show", identity)
    assert "is queued" in operator.run("message", "show", "0" * 26, good=False)
    assert "26 letters" in operator.run("message", "show", "x", good=False)
    kill_and_start(relay)
    operator.run("queue", "retry", "--domain", "one.test")
    wait_until(lambda: tries() >= 2, 30, "another try")


def test_status_top_paths_and_path_show(relay_and_sink):
    relay, sink, operator = relay_and_sink
    inject(relay, 2, "one.test")
    wait_until(lambda: len(delivered(relay, "one.test")) == 2, 20, "mail")
    assert "2 delivered" in operator.run("status")
    assert "2 delivered" in operator.run("top", "--screens", "1")
    assert operator.ask("queue", "list")["queues"] == []
    live = operator.ask("path", "show", "one.test")
    assert live["site"] == f"127.0.0.1:{sink.port}" and live["live"]["paths"]
    assert "connection_limit" in operator.run("path", "show", "one.test")


def test_reload_says_what_changed_or_what_is_wrong(relay_and_sink):
    relay, _, operator = relay_and_sink
    text = relay.config_file.read_text()
    relay.config_file.write_text(text.replace("connection_limit = 10", "connection_limit = 7"))
    assert "connection_limit" in operator.run("reload")
    relay.config_file.write_text(text.replace("connection_limit = 10", "connection_limit = 0"))
    assert "connection_limit" in operator.run("reload", good=False)
    relay.config_file.write_text(text)


def test_drain_ends_the_process(relay_and_sink):
    relay, _, operator = relay_and_sink
    assert "draining" in operator.run("drain")
    assert relay.process.wait(30) == 0
    assert "cannot ask" in operator.run("status", good=False)


def test_rebind_says_that_there_is_none(relay_and_sink):
    assert "another pool" in relay_and_sink[2].run("queue", "rebind", "--domain", "one.test",
                                                   good=False)


def test_each_change_is_in_the_audit_log(relay_and_sink):
    relay, _, operator = relay_and_sink
    operator.run("queue", "suspend", "--tenant", "a", "--reason", "why not")
    operator.run("queue", "resume", "--tenant", "a")
    operator.run("reload")
    kill_and_start(relay)
    operator.run("queue", "retry", "--domain", "one.test")
    lines = [json.loads(line) for line in
             (relay.folder / "data" / "audit.jsonl").read_text().splitlines()]
    assert [(one["action"], one["what"], one["result"]) for one in lines] == [
        ("suspend", "tenant a", "done"), ("resume", "tenant a", "done"),
        ("reload", str(relay.config_file), "done"), ("retry", "domain one.test", "done")]
    assert lines[0]["reason"] == "why not" and lines[0]["who"] == "127.0.0.1"
    assert abs(lines[0]["when"] - time.time()) < 60


@pytest.mark.parametrize("words,says", [
    (["suspend", "--domain", "no domain"], 'domain "no domain" is not a domain'),
    (["suspend", "--all", "--for", "soon"], 'duration "soon" is not a time such as "5m"'),
    (["suspend", "--all", "--for", "900d"], "duration must not be longer than 366d"),
    (["bounce", "--all"], "a bounce needs a domain"),
    (["suspend"], "needs --domain"),
    (["resume"], "needs an ID"),
])
def test_what_is_wrong_with_an_order_is_said(relay_and_sink, words, says):
    assert says in relay_and_sink[2].run("queue", *words, good=False)


def test_a_credential_decides_who_may_do_what(make_relay, make_sink):
    def hashed(secret):
        done = subprocess.run([program("posthaste"), "hash"], input=secret + "\n", text=True,
                              capture_output=True, check=True, timeout=60)
        assert done.stdout.startswith("$6$")
        return done.stdout.strip()
    sink = make_sink()
    relay = make_relay({"*": sink.port}, http=ADMIN, config={"credential": [
        {"name": "boss", "secret": hashed("s3cret"), "scopes": ["admin"]},
        {"name": "eye", "secret": hashed("look"), "scopes": ["read"]},
        {"name": "news", "secret": hashed("letter"), "scopes": ["inject"], "tenant": "news"}]})
    boss, eye = Operator(relay, "boss:s3cret"), Operator(relay, "eye:look")
    assert "a credential is needed" in Operator(relay).run("status", good=False)
    assert "secret is wrong" in Operator(relay, "boss:look").run("status", good=False)
    assert "secret is wrong" in Operator(relay, "nobody:look").run("status", good=False)
    assert eye.ask("status")["state"] == "serving"
    assert "has not the scope" in eye.run("queue", "suspend", "--tenant", "a", good=False)
    boss.run("queue", "suspend", "--tenant", "a")
    mail = json.dumps({"envelope_sender": "a@sender.test", "recipients": [{"email": "b@one.test"}],
                       "tenant": "other", "content": "Subject: x\n\nhello\n"})

    def post(secret):
        request = urllib.request.Request(
            f"http://127.0.0.1:{relay.http_port}/api/inject/v1", data=mail.encode(),
            headers={"Content-Type": "application/json", "Authorization": "Bearer " + secret})
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code
    assert post("news:letter") == 200 and post("boss:s3cret") == 403 and post("news:x") == 401
    wait_until(lambda: len(delivered(relay, "one.test")) == 1, 20, "mail with a credential")
    assert relay.events("Delivery")[0]["tenant"] == "news"
    assert relay.get("/metrics")[0] == 401 and relay.get("/healthz")[0] == 200
    (line,) = (relay.folder / "data" / "audit.jsonl").read_text().splitlines()
    assert json.loads(line)["who"] == "boss"


def test_orders_that_cannot_be_read_stop_the_start(make_relay, make_sink):
    relay = make_relay({"*": 1}, http=ADMIN, start=False)
    data = relay.folder / "data"
    data.mkdir()
    (data / "orders.jsonl").write_text("rubbish\n")
    relay.start(wait=False)
    assert relay.process.wait(30) == 1
    assert "orders.jsonl: line 1 is not" in relay.process.output()
    relay.process = None


def test_what_the_admin_api_refuses(relay_and_sink):
    relay = relay_and_sink[0]

    def ask(method, path, body, kind="application/json"):
        request = urllib.request.Request(f"http://127.0.0.1:{relay.http_port}/api/admin/{path}",
                                         data=body.encode(), method=method,
                                         headers={"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["errors"][0]
    for body, field, says in [
            ('{"domian": "x.test"}', "domian", 'there is no field "domian"; is "domain" meant?'),
            ('{"queue_names": ["x"]}', "", '"queue_names" must be a text'),
            ('{"routing_domain": "x"}', "routing_domain", '"routing_domain" is not available here'),
            ('[]', "", "must be a JSON object"), ('{', "", "the body is not JSON"),
            ('{"duration": "x"}', "duration", 'duration "x" is not a time')]:
        status, error = ask("POST", "suspend/v1", body)
        assert status == 400 and says in error["message"], (body, error)
        assert (error["field"] or "") == field, (body, error)
    assert ask("POST", "suspend/v1", "{}", "text/plain")[0] == 415
    assert ask("POST", "suspend-path/v1", "{}")[1]["message"].startswith("site is missing")
    assert ask("DELETE", "suspend/v1", "{}")[1]["message"].startswith("id is missing")
    assert ask("DELETE", "suspend/v1", '{"id": "x"}')[0] == 404
    assert ask("POST", "rebind/v1", "{}")[0] == 501
    assert relay.get("/api/admin/queues/v1?limit=0")[0] == 400
    assert relay.get("/api/admin/path/v1")[0] == 400
    status, given = ask("POST", "suspend/v1", '{"domain": "x.test", "campaign": null}')
    assert status == 200 and given["id"]
    (listed,) = json.loads(relay.get("/api/admin/suspend/v1")[1])
    assert listed["id"] == given["id"] and listed["domain"] == "x.test"
    assert listed["duration"] in ("4m", "5m") or listed["duration"].endswith("s")


def test_a_rule_for_replies_gives_an_order_that_an_operator_can_end(make_relay, make_sink, tmp_path):
    sink = make_sink("--rule", "RCPT@one.test: 450 4.7.1 you are on a list")
    shaping = tmp_path / "shaping.toml"
    shaping.write_text('[["default".automation]]\nregex = "you are on a list"\naction = "Bounce"\n'
                       'duration = "1h"\n')
    relay = make_relay({"*": sink.port}, http=ADMIN, config={
        "retry": {"intervals": ["30m"]}, "shaping": {"files": [str(shaping)]}})
    operator = Operator(relay)
    inject(relay, 1, "one.test")
    wait_until(lambda: relay.events("AdminBounce"), 20, "the bounce that the rule orders")
    shown = operator.run("queue", "show")
    assert "domain one.test" in shown and "by automation" in shown and "on a list" in shown
    inject(relay, 1, "two.test")
    wait_until(lambda: len(delivered(relay, "two.test")) == 1, 20, "mail to others")
    operator.run("queue", "resume", "--domain", "one.test")
    assert operator.ask("status")["bounces"] == 0
