"""What a group of processes uses: CPU time by the kernel's own accounting, and context switches."""

import os
import pathlib
import signal
import time

CGROUP = pathlib.Path("/sys/fs/cgroup")


def _accounting_root():
    """(folder, file with the used CPU time, nanoseconds per unit) of this machine's cgroups."""
    if (CGROUP / "cpuacct").is_dir():
        return CGROUP / "cpuacct", "cpuacct.usage", 1
    if (CGROUP / "cgroup.controllers").exists():
        return CGROUP, "cpu.stat", 1000
    return None, None, None


class Meter:
    """A cgroup for one relay; without the right to make one, sums over /proc.

    Start the relay with preexec_fn=meter.enter: its children belong to the group too, and what
    they used stays counted after they end.
    """

    def __init__(self, name):
        root, self.file, self.unit = _accounting_root()
        self.leader = None
        self.folder = None
        if root is None:
            return
        folder = root / f"posthaste-bench-{os.getpid()}-{name}"
        try:
            folder.mkdir()
            if (folder / self.file).exists():
                self.folder = folder
        except OSError:
            pass

    @property
    def method(self):
        return f"cgroup {self.file}" if self.folder else "/proc/PID/stat with ended children"

    def enter(self):
        """In the child, before exec."""
        os.setsid()
        if self.folder:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        if self.folder:
            return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.getsid(int(entry.name)) == self.leader:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def cpu_seconds(self):
        if self.folder:
            text = (self.folder / self.file).read_text()
            value = int(text.split()[1] if self.unit == 1000 else text)
            return value * self.unit / 1e9
        ticks = 0
        for pid in self.pids():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            own, ended_children = fields[11:13], fields[13:15]
            ticks += sum(map(int, own + ended_children))
        return ticks / os.sysconf("SC_CLK_TCK")

    def context_switches(self):
        """Of the processes that live now."""
        total = 0
        for pid in self.pids():
            for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
                try:
                    lines = status.read_text().splitlines()
                except OSError:
                    continue
                total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        return total

    def memory_peak(self):
        """Octets resident at most, summed over the processes that live now."""
        total = 0
        for pid in self.pids():
            try:
                lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
        return total

    def end_all(self):
        """Ends every process of the group, by pid."""
        for attempt in range(200):
            pids = self.pids()
            if not pids:
                break
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGTERM if attempt < 20 else signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        if self.folder:
            try:
                self.folder.rmdir()
                self.folder = None
            except OSError:
                pass
