"""What a long queue costs: a restart with it, and a queue larger than its memory that drains.

Both fill the spool over SMTP, pipelined, one recipient a message, while nothing listens at the
destination. [retry] is chosen so that each message is tried twice at once (when its connection is
refused, and a second later) and then rests until the measurement is over.
"""

import os
import re
import shutil
import time

from rig.relays import Committed, free_port, wait_until
from rig.report import target
from rig.scenario import Sink, inject

SESSIONS = 64       # so that the shards get about the same
FIRST_RETRY = "1s"  # also the longest pause of a site that is down, so that deferrals come evenly
FAR_AWAY = "4h"
EVENTS = 1700       # octets in the event log of a message: reception, two deferrals, delivery
OVERHEAD = 512      # octets beside the content of a queued message with one recipient, as it counts
LEAD_IN = 20        # one in so many of the queue's messages
SLOWEST = 500       # messages a second while draining, then it is given up
MIB = 2**20


class Waiting(Committed):
    """Keeps its mail: nothing listens on the port of its sink."""

    name = "backlog"

    def __init__(self, folder, programs, options, second_retry=FAR_AWAY, memory_limit=None):
        super().__init__(folder, programs, free_port(), 10, options)
        self.retry = (FIRST_RETRY, second_retry)
        self.memory_limit = memory_limit

    def fill(self, messages, size):
        """Injects; the source's summary and the relay's CPU seconds meanwhile."""
        cpu = self.meter.cpu_seconds()
        summary, _ = inject([str(part) for part in (
            self.programs / "smtp_source", "--to", f"127.0.0.1:{self.port}", "--messages", messages,
            "--sessions", SESSIONS, "--size", size, "--pipeline-next", "--domains", 1)],
            timeout=max(600, messages / 1000))
        return summary, self.meter.cpu_seconds() - cpu

    def queued(self):
        """Recipients by state."""
        return {re.search(r'state="(\w+)"', series).group(1): value
                for series, value in self.metrics().items()
                if series.startswith("posthaste_queue_recipients")}

    def deferrals(self):
        return sum(value for series, value in self.metrics().items()
                   if series.startswith("posthaste_deliveries_total") and '"deferred"' in series)

    def rest(self, messages, seconds=120):
        """Waits until every message has had its two attempts and waits for the one far away."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.deferrals() >= 2 * messages and self.queued().get("scheduled", 0) >= messages:
                return
            time.sleep(0.5)
        raise RuntimeError(f"not at rest: {self.deferrals():.0f} deferrals, {self.queued()}")

    def segments(self):
        return sum(file.stat().st_size for file in self.data.glob("spool/*/*.seg"))

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def end(self):
        """Leaves nothing running, and nothing on the disk."""
        try:
            if self.process and self.process.poll() is None:
                self.kill()
            self.stop()
        finally:
            shutil.rmtree(self.data, ignore_errors=True)


def need_disk(folder, messages, size):
    """Twice the spool, for what compaction leaves, the event log, and [spool] min_free."""
    disk = shutil.disk_usage(folder)
    wanted = messages * (2 * (size + 600) + EVENTS) + disk.total // 20 + 2 * 2**30
    if disk.free < wanted:
        raise RuntimeError(f"{messages:,} messages need up to {wanted / 2**30:.1f} GiB of disk, "
                           f"{disk.free / 2**30:.1f} are free in {folder}")


# ---- restart

def restart(folder, programs, options, messages, say):
    size = options.restart_size
    folder.mkdir()
    need_disk(folder, messages, size)
    relay = Waiting(folder, programs, options)
    try:
        relay.start()
        summary, _ = relay.fill(messages, size)
        relay.rest(messages)
        say(f"restart: {messages:,} queued at {summary['rate']:,.0f} messages/s, all deferred; kill -9")
        before = {"resident": relay.resident(), "segments": relay.segments()}
        relay.kill()
        relay.meter.end_all()
        empty = resident_when_empty(folder, programs, options)
        return measure_restart(folder, programs, options, messages, summary, before, empty)
    finally:
        relay.end()


def resident_when_empty(folder, programs, options):
    """Octets of the same process without mail, after a few sessions."""
    relay = Waiting(folder / "empty", programs, options)
    try:
        relay.start()
        time.sleep(1)
        return relay.resident()
    finally:
        relay.end()


def measure_restart(folder, programs, options, messages, summary, before, empty):
    again = Waiting(folder, programs, options)
    again.data_is_new = False
    try:
        forget_pages(again)
        cpu = again.meter.cpu_seconds()
        began = time.monotonic()
        again.start()
        wait_until(lambda: "ready: smtp" in again.log(), 30, "it says that it is ready")
        ready = time.monotonic() - began
        recovered = wait_for_recovery(again, messages)
        took = time.monotonic() - began
        cpu = again.meter.cpu_seconds() - cpu
        at_once = again.resident()
        time.sleep(12)  # what the allocator gives back comes within ten seconds
        page = again.metrics()
        queued = again.queued()
        resident = again.resident()
        if sum(queued.values()) != messages or recovered != messages:
            raise RuntimeError(f"{messages} were accepted, {recovered} recovered, queued {queued}")
        content = page["posthaste_content_bytes"] - messages * OVERHEAD
        per_recipient = (resident - empty) / messages
        return {
            "name": f"restart with {messages:,} queued recipients",
            "what": f"contents of {options.restart_size} octets, one recipient each, destination "
                    "down, each deferred twice; kill -9, then a start with the same spool",
            "rows": [
                ("filled at", f"{summary['rate']:,.0f} messages/s"),
                ("spool", f"{before['segments'] / MIB:,.0f} MiB in segments, not in the page cache"),
                ("seconds to ready", f"{ready:.2f}"),
                ("seconds until all were recovered", f"{took:.2f}"),
                ("relay CPU seconds of the recovery", f"{cpu:.2f}"),
                ("recovered", f"{recovered:,} recipients, {messages / took:,.0f} a second"),
                ("RSS before the kill (contents in memory)", f"{before['resident'] / MIB:,.0f} MiB"),
                ("RSS when all were recovered", f"{at_once / MIB:,.0f} MiB"),
                ("RSS 12 s later", f"{resident / MIB:,.0f} MiB; {empty / MIB:,.0f} MiB without mail"),
                ("octets per queued recipient", f"{per_recipient:,.0f}; with the empty process "
                                                f"{resident / messages:,.0f}"),
                ("contents in memory", f"{max(content, 0) / MIB:,.1f} MiB"),
            ],
            "numbers": {
                "messages": messages, "size": options.restart_size, "fill_rate": summary["rate"],
                "ready_s": round(ready, 3), "recovered_s": round(took, 3), "cpu_s": round(cpu, 3),
                "segments": before["segments"],
                "resident_before": before["resident"], "resident_recovered": at_once,
                "resident": resident, "resident_empty": empty,
                "octets_per_recipient": round(per_recipient, 1), "content_bytes": content,
                "log": re.findall(r"shard \d+: recovered .*", again.log()),
            },
            "targets": [
                target(f"s to ready with {messages:,} queued", round(ready, 3), 2, True),
                target(f"s until {messages:,} are recovered", round(took, 3), 15, True),
                target("octets of RAM per queued recipient, content out of RAM",
                       round(per_recipient, 1), 400, True),
            ],
        }
    finally:
        again.end()


def forget_pages(relay):
    """So that the restart reads its segments from the disk."""
    for file in relay.data.glob("spool/*/*.seg"):
        with open(file, "rb") as segment:
            os.posix_fadvise(segment.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def wait_for_recovery(relay, messages, seconds=120):
    """Until the shards together say that they recovered so many; how many they say."""
    deadline = time.monotonic() + seconds
    found = 0
    while time.monotonic() < deadline:
        if relay.process.poll() is not None:
            raise RuntimeError(f"it ended: {relay.log()[-2000:]}")
        found = sum(map(int, re.findall(r"recovered \d+ messages for (\d+) recipients", relay.log())))
        if found >= messages:
            return found
        time.sleep(0.02)
    raise RuntimeError(f"{found} of {messages} recovered after {seconds} s: {relay.log()[-2000:]}")


# ---- a queue larger than its memory

def queue(folder, programs, options, messages, say):
    size = options.queue_size
    folder.mkdir()
    need_disk(folder, messages, size)
    limit = max(int(messages * (size + OVERHEAD) * options.queue_memory), 64 * MIB)
    rate = calibrate(folder, programs, options, messages // 20, limit // 20)
    # Its minimum, with jitter of 10 %, is a third longer than the injection is expected to take.
    second_retry = max(int(messages / rate * 1.5), 15)
    say(f"queue: {rate:,.0f} messages/s in a trial, so mail rests for {second_retry} s; limit "
        f"{limit / MIB:,.0f} MiB")
    relay = Waiting(folder, programs, options, f"{second_retry}s", limit)
    sink = None
    try:
        relay.start()
        slices = fill_in_slices(relay, messages, size, 10 if messages >= 1_000_000 else 5, say)
        filled = {"metrics": relay.metrics(), "resident": relay.resident(),
                  "peak": relay.meter.memory_peak(), "segments": relay.segments(),
                  "deferrals": relay.deferrals()}
        sink = Sink(programs, folder, (), relay.sink_port)
        samples = drain(relay, sink, messages, second_retry + 120, say)
        return queue_result(relay, options, limit, second_retry, slices, filled, samples)
    finally:
        relay.end()
        if sink:
            sink.stop()


def calibrate(folder, programs, options, messages, limit):
    """Messages per second that a relay like this takes."""
    relay = Waiting(folder / "calibration", programs, options, memory_limit=max(limit, 16 * MIB))
    try:
        relay.start()
        return relay.fill(messages, options.queue_size)[0]["rate"]
    finally:
        relay.end()


def fill_in_slices(relay, messages, size, count, say):
    """Equal slices after a lead-in, which has no deferrals of a slice before it."""
    lead = messages // LEAD_IN
    slices = []
    for number in range(-1, count):
        share = lead
        if number >= 0:
            rest = messages - lead
            share = rest * (number + 1) // count - rest * number // count
        summary, cpu = relay.fill(share, size)
        slices.append({"messages": share, "rate": summary["rate"],
                       "cpu_us": round(cpu / share * 1e6, 2), "resident": relay.resident()})
        say(f"queue: slice {number + 1} of {count}: {summary['rate']:,.0f} messages/s, "
            f"{slices[-1]['cpu_us']:.1f} µs CPU, RSS {slices[-1]['resident'] / MIB:,.0f} MiB")
    return slices


def drain(relay, sink, messages, patience, say):
    """(seconds, recipients arrived, relay's CPU seconds, RSS) until all arrived; fails when nothing
    comes any more."""
    began = last_progress = said = time.monotonic()
    longest = patience + messages / SLOWEST
    samples = []
    while True:
        arrived = sink.stats()
        now = time.monotonic()
        samples.append((now - began, arrived["recipients"], relay.meter.cpu_seconds(),
                        relay.resident()))
        if arrived["violations"] or arrived["recipients"] > messages:
            raise RuntimeError(f"{arrived['recipients']} of {messages} arrived, "
                               f"{arrived['violations']} violations of the protocol")
        if arrived["recipients"] == messages:
            return samples
        if len(samples) < 2 or samples[-1][1] != samples[-2][1]:
            last_progress = now
        if now - last_progress > patience:
            raise RuntimeError(f"{arrived['recipients']} of {messages} arrived, then nothing for "
                               f"{patience} s; queued {relay.queued()}")
        if now - began > longest:
            raise RuntimeError(f"{arrived['recipients']} of {messages} arrived in {longest:.0f} s")
        if now - said > 30:
            said = now
            say(f"queue: draining, {arrived['recipients']:,} of {messages:,} arrived")
        time.sleep(0.25)


def drain_parts(samples, count=5):
    """Relay's CPU microseconds a message in equal parts of what arrived. Steps in which nothing
    arrived, while mail rested, belong to no message and are left out."""
    steps = [(after[1], after[1] - before[1], after[2] - before[2], after[0] - before[0])
             for before, after in zip(samples, samples[1:]) if after[1] > before[1]]
    total = samples[-1][1]
    parts = []
    for number in range(count):
        mine = [step for step in steps
                if total * number // count < step[0] <= total * (number + 1) // count]
        arrived = sum(step[1] for step in mine)
        if arrived:
            seconds = sum(step[3] for step in mine)
            parts.append({"messages": arrived, "seconds": round(seconds, 2),
                          "rate": round(arrived / seconds, 1),
                          "cpu_us": round(sum(step[2] for step in mine) / arrived * 1e6, 2)})
    return parts


def mean_cost(parts):
    return sum(part["cpu_us"] * part["messages"] for part in parts) / sum(
        part["messages"] for part in parts)


def queue_result(relay, options, limit, second_retry, slices, filled, samples):
    messages = sum(part["messages"] for part in slices)
    lead, slices = slices[0], slices[1:]
    time.sleep(1)
    page = relay.metrics()
    left = sum(relay.queued().values())
    if left:
        raise RuntimeError(f"all arrived and {left:.0f} recipients are still queued")
    parts = drain_parts(samples)
    ends = max(len(slices) // 5, 1)
    filling = (mean_cost(slices[:ends]), mean_cost(slices[-ends:]))
    draining = (parts[0]["cpu_us"], parts[-1]["cpu_us"])
    peak = relay.meter.memory_peak()
    read_back = int(page.get("posthaste_contents_read_back_total", 0))
    evicted = int(page.get("posthaste_contents_evicted_total", 0))
    counted = filled["metrics"]["posthaste_content_bytes"]
    tried_again = int(filled["deferrals"] - 2 * messages)
    listed = lambda rows: " · ".join(f"{row['cpu_us']:.1f}" for row in rows)
    rates = lambda rows: " · ".join(f"{row['rate']:,.0f}" for row in rows) + " messages/s"
    rows = [
        ("filled at", rates(slices)),
        ("relay CPU µs/message while filling, with two failed attempts",
         f"{listed(slices)}; end ÷ beginning {filling[1] / filling[0]:.2f}"),
        ("relay CPU µs/message while draining",
         f"{listed(parts)}; end ÷ beginning {draining[1] / draining[0]:.2f}"),
        ("drained at", f"{rates(parts)}, as mail came due"),
        ("drained in", f"{samples[-1][0]:,.0f} s, of which mail rested up to {second_retry} s"),
        ("memory.limit", f"{limit / MIB:,.0f} MiB, for {messages * options.queue_size / MIB:,.0f} MiB "
                         "of contents"),
        ("RSS when filled, at most until then, at most", " · ".join(
            f"{octets / MIB:,.0f}" for octets in (filled["resident"], filled["peak"], peak)) + " MiB"),
        ("RSS at most ÷ memory.limit", f"{peak / limit:.2f}; the relay itself counted "
                                       f"{counted / MIB:,.0f} MiB when filled"),
        ("contents", f"{evicted:,} left memory, {read_back:,} were read back"),
        ("segments when filled, at the end", f"{filled['segments'] / MIB:,.0f} · "
                                             f"{relay.segments() / MIB:,.0f} MiB"),
    ]
    if tried_again > 0:
        rows.append(("attempts while filling beyond two a message",
                     f"{tried_again:,}: filling took longer than mail rested; its cost includes them"))
    return {
        "name": f"a queue of {messages:,} recipients",
        "what": f"contents of {options.queue_size} octets, one recipient each, destination down; "
                "then it answers, and all is delivered",
        "rows": rows,
        "numbers": {
            "messages": messages, "size": options.queue_size, "limit": limit, "lead_in": lead,
            "slices": slices, "second_retry_s": second_retry, "drain": parts,
            "resident_filled": filled["resident"], "counted_filled": counted,
            "peak_filled": filled["peak"], "peak": peak, "evicted": evicted,
            "read_back": read_back, "tried_again_while_filling": tried_again,
            "segments_filled": filled["segments"], "segments_end": relay.segments(),
            "samples": [[round(value, 3) for value in sample] for sample in samples[::20]],
        },
        "targets": [
            target("CPU of a message, end ÷ beginning, while filling",
                   round(filling[1] / filling[0], 3), 1.25, True),
            target("CPU of a message, end ÷ beginning, while draining",
                   round(draining[1] / draining[0], 3), 1.25, True),
            target("RSS at most ÷ memory.limit", round(peak / limit, 3), 1, True),
        ],
    }
