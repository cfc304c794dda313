"""Processes of a test: started, watched, and ended by their pid; ports nobody else uses."""

import collections
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PEERS = pathlib.Path(os.environ.get("POSTHASTE_PEERS", TOP / "build/peers"))


def build_folder():
    """The build whose programs are tested: $POSTHASTE_BUILD, else release, else dev."""
    named = os.environ.get("POSTHASTE_BUILD")
    if named:
        return TOP / named
    release = TOP / "build/release"
    return release if (release / "bin/posthaste").exists() else TOP / "build/dev"


def program(name):
    path = build_folder() / "bin" / name
    assert path.exists(), f"{path} is not built"
    return str(path)


def sanitized():
    """Whether the programs under test are slowed down by a sanitizer."""
    return build_folder().name in ("asan", "tsan")


given_ports = collections.deque(maxlen=1000)


def free_port():
    """A loopback port nobody listens on, below the range the kernel takes for outgoing connections,
    and none of the last ones that were given. Each worker of pytest-xdist has a range of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for _ in range(2000):
        port = 20000 + 2000 * (worker % 5) + random.randrange(2000)
        if port in given_ports:
            continue
        given_ports.append(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port for this worker")


def wait_until(condition, seconds, what):
    """Returns condition()'s first true value; fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


def connects(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def passing(count):
    """What runs a program with so many passed sockets: LISTEN_PID is its own pid."""
    script = f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$@"'
    return ["/bin/sh", "-c", script, "sh"] if count else []


def place(sockets):
    """In the child: copies first, since the places may be taken by one another."""
    copies = [os.dup(each.fileno()) for each in sockets]
    high = [os.dup2(copy, 100 + number) for number, copy in enumerate(copies)]
    for number, copy in enumerate(high):
        os.dup2(copy, 3 + number)


class Process:
    """One program in a process group of its own, its standard error in a file."""

    running = []  # all of this test session, for reports of failures

    def __init__(self, command, log, name=None, env=None, cwd=None, sockets=()):
        """sockets are passed as systemd does it: from descriptor 3 on, with LISTEN_FDS and _PID."""
        self.command = [str(part) for part in command]
        self.name = name or pathlib.Path(self.command[0]).name
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(
                passing(len(sockets)) + self.command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, cwd=cwd,
                env=None if env is None else {**os.environ, **env},
                pass_fds=range(3, 3 + len(sockets)),
                preexec_fn=(lambda: place(sockets)) if sockets else None)
        Process.running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text, seconds=20):
        def seen():
            if text in self.output():
                return True
            assert self.alive(), f"{self.name} ended with {self.popen.returncode}:\n{self.output()}"
            return False

        wait_until(seen, seconds, f"{self.name} writes {text!r}; it wrote:\n{self.output()[-2000:]}")

    def wait(self, seconds=30):
        """The exit status; fails if the program does not end by itself."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, seconds=30):
        """SIGTERM, then SIGKILL to what is left of the group. The exit status."""
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        return self.popen.returncode

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
        if self in Process.running:
            Process.running.remove(self)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident octets."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")
