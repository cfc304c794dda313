"""Fixtures of the system tests: relays, sinks and real mail servers, all ended with the test."""

import pytest

from processes import Process
from relay import Relay, Sink


def pytest_configure(config):
    config.addinivalue_line("markers", "hostile: clients and servers that mean harm; also run "
                                       "against the build with sanitizers")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the processes it was talking to wrote last."""
    report = (yield).get_result()
    if report.failed:
        for process in Process.running:
            if process.log.exists():
                report.sections.append((f"{process.name} ({process.log})", process.output()[-4000:]))


@pytest.fixture(autouse=True)
def only_this_tests_processes():
    """What earlier tests ran is not shown with the failures of later ones; what servers a module
    shares goes on."""
    before = list(Process.running)
    yield
    Process.running[:] = [process for process in Process.running if process in before]


@pytest.fixture
def make_relay(tmp_path):
    """make_relay(routes={...}, config={...}): a started relay; drained at the end, must exit 0."""
    made = []

    def make(routes=None, start=True, **options):
        relay = Relay(tmp_path / f"relay{len(made)}", routes, **options)
        made.append(relay)
        return relay.start() if start else relay

    yield make
    try:
        for relay in made:
            relay.stop()
    finally:
        for relay in made:
            if relay.process:
                relay.process.kill()


@pytest.fixture
def make_sink(tmp_path):
    """make_sink("--rtt", "50ms", capture=True): a listening smtp_sink."""
    made = []

    def make(*options, **named):
        sink = Sink(tmp_path / f"sink{len(made)}", *options, **named)
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.process.kill()
