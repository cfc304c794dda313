"""What the mail servers have in common: a root to live in, users of their own, a port, a maildir."""

import fcntl
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

from processes import PEERS, Process, connects, free_port, wait_until

STORE = "var/peermail"  # where each server puts what it accepted, below its root
STORE_UID = 1500


class Peer:
    """One server. Subclasses say how it is configured (`configure`) and started (`command`).

    It accepts every mailbox at `domain` and stores it; `messages()` gives what it stored. Whatever
    it starts runs in its root, and whatever runs there is ended by pid with it.
    """

    name = ""
    users = {}      # name: (uid, gid) besides those that every server has
    groups = {}     # name: gid besides those of its users
    start_seconds = 20

    def __init__(self, log_folder, identity=None):
        self.domain = f"{self.name}.test"
        self.identity = identity  # with one it offers STARTTLS
        self.root = PEERS / self.name
        assert (self.root / ".complete").exists(), \
            f"{self.root} is missing: run tests/system/peers/install"
        self.log = pathlib.Path(log_folder) / f"{self.name}.log"
        self.port = free_port()
        self.process = None
        self.lock = open(self.root / ".lock", "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)  # one test run at a time in one root

    # To be said by each server -----------------------------------------------------------------
    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    # Common ------------------------------------------------------------------------------------
    def start(self):
        self._end_all()
        self._prepare_root()
        self.configure()
        self.log.unlink(missing_ok=True)
        self.process = Process(["chroot", self.root, *self.command()], self.log, name=self.name,
                               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"}, cwd="/")
        wait_until(lambda: connects(self.port) or not self.process.alive(), self.start_seconds,
                   f"{self.name} listens on {self.port}")
        assert self.process.alive(), f"{self.name} ended:\n{self.process.output()}"
        return self

    def stop(self):
        if self.process:
            self.process.signal(signal.SIGTERM)
            time.sleep(0.1)
        self._end_all()
        if self.process:
            self.process.kill()
        self.lock.close()

    def messages(self):
        """What was stored: octets per message, with the line ends of SMTP."""
        return [self.read(path) for path in self.stored_files()]

    def stored_files(self):
        """Complete messages only; maildir/new and cur by default."""
        store = self.root / STORE
        return sorted(path for folder in ("new", "cur") for path in store.rglob(f"{folder}/*")
                      if path.is_file() and path.suffix != ".part")

    @staticmethod
    def read(path):
        octets = path.read_bytes()
        return octets if b"\r\n" in octets else octets.replace(b"\n", b"\r\n")

    def clear(self):
        for path in self.stored_files():
            path.unlink()

    def wait_for(self, count, seconds=60):
        wait_until(lambda: len(self.stored_files()) >= count, seconds,
                   f"{self.name} stored {count} messages, it has {len(self.stored_files())}")
        return self.messages()

    # The root ------------------------------------------------------------------------------------
    def write(self, path, text, mode=0o644):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def write_identity(self, owner=(0, 0)):
        """Certificate, key, and both in one file, below etc/tls."""
        certificate, key = self.identity.certificate.read_text(), self.identity.key.read_text()
        for name, text in {"cert.pem": certificate, "key.pem": key, "both.pem": key + certificate,
                           "ca.pem": certificate}.items():
            self.write(f"etc/tls/{name}", text, 0o600)
            os.chown(self.root / "etc/tls" / name, *owner)

    def folder(self, path, owner=(0, 0), mode=0o755, fresh=False):
        target = self.root / path
        if fresh and target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, *owner)
        target.chmod(mode)

    def run(self, *command):
        """A command in the root; its output if it fails."""
        done = subprocess.run(["chroot", str(self.root), *command], capture_output=True, text=True,
                              check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def _prepare_root(self):
        for name, minor in {"null": 3, "zero": 5, "random": 8, "urandom": 9}.items():
            device = self.root / "dev" / name
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
                device.chmod(0o666)
        users = {"root": (0, 0), "daemon": (1, 1), "mail": (8, 8), "nobody": (65534, 65534),
                 "store": (STORE_UID, STORE_UID), **self.users}
        self.write("etc/passwd", "".join(f"{n}:x:{u}:{g}:{n}:/:/bin/sh\n"
                                         for n, (u, g) in users.items()))
        groups = {**{n: g for n, (_, g) in users.items()}, **self.groups}
        self.write("etc/group", "".join(f"{n}:x:{g}:\n" for n, g in groups.items()))
        self.write("etc/hosts", f"127.0.0.1 localhost mx.{self.domain}\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        for path in ("run", "var/run", "var/log", "var/tmp", "tmp"):
            (self.root / path).mkdir(parents=True, exist_ok=True)
        for path in ("tmp", "var/tmp"):
            (self.root / path).chmod(0o1777)
        self.folder(STORE, (STORE_UID, STORE_UID), 0o777, fresh=True)

    def _pids(self):
        """Every process whose root is ours."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.readlink(entry / "root") == str(self.root):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def _end_all(self):
        for _ in range(100):
            pids = self._pids()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        raise AssertionError(f"{self.name} does not end")
