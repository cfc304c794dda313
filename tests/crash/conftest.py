"""Fixtures of the crash tests: the helpers of the system tests, relays that are meant to be killed,
and small file systems that are gone with the test."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from processes import Process  # noqa: E402
from relay import Relay, Sink  # noqa: E402

# A spool that rotates, recycles and compacts within seconds of small mail.
SPOOLED = {"spool": {"durability": "commit", "segment_size": "1MiB"}}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the processes it was talking to wrote last."""
    report = (yield).get_result()
    if report.failed:
        for process in Process.running:
            if process.log.exists():
                report.sections.append((f"{process.name} ({process.log})", process.output()[-4000:]))


@pytest.fixture
def ended():
    """ended(process): killed with the test, whatever it is."""
    made = []

    def add(thing):
        made.append(thing)
        return thing

    yield add
    for thing in made:
        process = getattr(thing, "process", thing)
        if process is not None:
            process.kill()


@pytest.fixture
def make_relay(tmp_path, ended):
    def make(routes, config=None, **options):
        merged = {**SPOOLED, **(config or {})}
        return ended(Relay(tmp_path / "relay", routes, config=merged, **options))

    return make


@pytest.fixture
def make_sink(tmp_path, ended):
    def make(*options, **named):
        return ended(Sink(tmp_path / "sink", *options, **named))

    return make


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True).stdout


@pytest.fixture
def mounted(tmp_path):
    """mounted(type, size): a small file system of its own; "ext4" on a loop device (its image in
    `folder`, thin), or "tmpfs". Skips where nothing may be mounted."""
    points = []

    def mount(kind, size, folder=None):
        point = tmp_path / f"mount{len(points)}"
        point.mkdir()
        try:
            if kind == "ext4":
                image = (folder or tmp_path) / f"image{len(points)}"
                with open(image, "wb") as file:
                    file.truncate(size)
                run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", image)
                run("mount", "-o", "loop", image, point)
            else:
                run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", point)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"cannot mount {kind} here: {getattr(error, 'stderr', error)}")
        points.append(point)
        return point

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", "-l", str(point)], check=False, capture_output=True)
