"""Medians over the rounds, ratios within the run, and what they are held against."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

from rig.relays import TOP
from rig.scenario import SCENARIOS

NUMBERS = ("rate", "injection_rate", "cpu_us", "enters", "letters", "sends", "receives", "switches",
           "memory_mib", "source_cpu_us", "sink_writes", "batches", "messages_per_batch",
           "octets_per_sync", "written_per_message", "commit_p50_us", "commit_p99_us",
           "synced_write_us")


def line(result):
    """One round in one line."""
    enters = f", {result['enters']:.2f} enters" if "enters" in result else ""
    commit = (f", commit {result['commit_p50_us']:.0f} µs p50, {result['commit_p99_us']:.0f} p99"
              if result.get("commit_p50_us") else "")
    return (f"{result['rate']:,.1f} messages/s, {result['cpu_us']:.1f} µs CPU{enters}, "
            f"p99 {result['latency_ms']['p99']:.1f} ms{commit}")


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "kernel": platform.release(),
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1),
    }


def commit():
    run = lambda *command: subprocess.run(command, cwd=TOP, capture_output=True, text=True,
                                          check=False).stdout.strip()
    changed = run("git", "status", "--porcelain", "--untracked-files=no", "--", "core", "relay", "dns",
                  "metrics", "bench/load")
    return run("git", "rev-parse", "--short", "HEAD") + ("-changed" if changed else "")


def added_latency(row, rows, options):
    """Milliseconds that the commit adds to the median of the same scenario in memory."""
    if row["relay"] != "committed" or options.durability != "memory":
        return None
    for other in rows:
        if (other["scenario"], other["relay"]) == (row["scenario"], "posthaste"):
            return round(row["p50_ms"] - other["p50_ms"], 4)
    return None


def summarise(measured, backlogs, failures, options, started):
    rows = []
    for name, scenario in SCENARIOS.items():
        for relay in options.relays.split(","):
            rounds = [r for r in measured if (r["scenario"], r["relay"]) == (name, relay)]
            if not rounds:
                continue
            row = {"scenario": name, "what": scenario.what, "relay": relay, "rounds": len(rounds)}
            for number in NUMBERS:
                values = [r[number] for r in rounds if number in r]
                if values:
                    row[number] = statistics.median(values)
            for share in ("p50", "p99"):
                row[f"{share}_ms"] = statistics.median(r["latency_ms"][share] for r in rounds)
            row["messages"] = rounds[0]["messages"]
            rows.append(row)
    for row in rows:
        for other in rows:
            if other["scenario"] == row["scenario"] and other["relay"] != row["relay"]:
                row[f"rate_to_{other['relay']}"] = round(row["rate"] / other["rate"], 4)
                row[f"cpu_to_{other['relay']}"] = round(row["cpu_us"] / max(other["cpu_us"], 1e-3), 4)
        committed = row["relay"].startswith("committed") and row.get("cpu_to_bare-committed")
        if committed:  # like with like: the bare relay that syncs, where it was measured
            row["cpu_to_bare"] = committed
        row["added_ms"] = added_latency(row, rows, options)
    summary = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "commit": commit(),
        "command": " ".join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": machine(),
        "load_at_end": os.getloadavg(),
        "options": {key: str(value) if isinstance(value, pathlib.Path) else value
                    for key, value in vars(options).items()},
        "summary": rows,
        "rounds": measured,
        "backlogs": backlogs,
        "failures": failures,
    }
    summary["targets"] = targets(rows, options)
    for backlog in backlogs:
        summary["targets"] += backlog["targets"]
    return summary


def target(what, value, limit, at_most=False):
    return {"what": what, "measured": value, "wanted": f"{'≤' if at_most else '≥'} {limit:,.5g}",
            "met": value <= limit if at_most else value >= limit}


def targets(rows, options):
    """(what, measured, wanted, met) for the targets in bench/README.md."""
    found = {(row["scenario"], row["relay"]): row for row in rows}
    checks = []

    def check(what, key, field, limit, at_most=False):
        row = found.get((key, "posthaste"))
        if row is not None and row.get(field) is not None:
            checks.append(target(what, row[field], limit, at_most))

    check("CPU µs per message, lock-step", "lockstep", "cpu_us", 60, at_most=True)
    check("CPU µs per message, pipelined", "pipelined", "cpu_us", 30, at_most=True)
    check("CPU µs per message, HTTP batch", "http", "cpu_us", 30, at_most=True)
    check("CPU against the bare relay, lock-step", "lockstep", "cpu_to_bare", 60 / 42, at_most=True)
    check("CPU against the bare relay, pipelined", "pipelined", "cpu_to_bare", 30 / 18, at_most=True)
    check("messages/s, lock-step", "lockstep", "rate", 12000)
    check("rate against Postfix", "lockstep", "rate_to_postfix", 15)
    check("CPU against Postfix", "lockstep", "cpu_to_postfix", 1 / 35, at_most=True)
    check("io_uring enters per message, lock-step", "lockstep", "enters", 1, at_most=True)
    check("io_uring enters per message, pipelined", "pipelined", "enters", 1, at_most=True)
    for encrypted, clear in (("tls", "lockstep"), ("tls-pipelined", "pipelined")):
        rows_of = [found.get((name, "posthaste")) for name in (encrypted, clear)]
        if all(rows_of):
            ratio = rows_of[0]["cpu_us"] / rows_of[1]["cpu_us"]
            checks.append({"what": f"CPU over TLS against clear text, {clear}", "measured": ratio,
                           "wanted": "≤ 1.6", "met": ratio <= 1.6})
    check("messages/s on one connection, 50 ms, DATA", "rtt50-data", "rate", 19)
    check("messages/s on one connection, 50 ms, BDAT", "rtt50-bdat", "rate", 19)
    checks += targets_committed(found, options)
    return checks + targets_shards(found) + targets_epoll(found) + targets_before(found)


def targets_shards(found):
    """What more than one shard may cost, beside the bare relay and beside one shard alone."""
    checks = []
    for (scenario, relay), row in found.items():
        alone = {"posthaste": "one-shard", "committed": "committed-one-shard"}.get(relay)
        if f"cpu_to_{alone}" in row:
            checks.append(target(f"CPU against one shard, {relay}, {scenario}",
                                 row[f"cpu_to_{alone}"], 1.1, at_most=True))
            if "cpu_to_bare" in row:
                checks.append(target(f"CPU against the bare relay, {relay}, {scenario}",
                                     row["cpu_to_bare"], 1.1, at_most=True))
            if row.get("letters") is not None:
                checks.append(target(f"letters between shards per message, {relay}, {scenario}",
                                     row["letters"], 0.1, at_most=True))
    return checks


def targets_epoll(found):
    pairs = (("epoll", "posthaste"), ("committed-epoll", "committed"))
    return [target(f"CPU on epoll against io_uring, {other}, {scenario}", row[f"cpu_to_{other}"],
                   1.6, at_most=True)
            for (scenario, relay), row in found.items() for name, other in pairs
            if relay == name and f"cpu_to_{other}" in row]


def targets_before(found):
    """A change may cost 3 %."""
    checks = []
    for (scenario, relay), row in found.items():
        earlier = {"posthaste": "before", "committed": "committed-before"}.get(relay)
        if f"cpu_to_{earlier}" in row:
            checks.append(target(f"CPU against before, {relay}, {scenario}",
                                 row[f"cpu_to_{earlier}"], 1.03, at_most=True))
            checks.append(target(f"rate against before, {relay}, {scenario}",
                                 row[f"rate_to_{earlier}"], 0.97))
    return checks


def targets_committed(found, options):
    checks = []
    for key, name, limit in (("lockstep", "lock-step", 75), ("pipelined", "pipelined", 40),
                             ("http", "HTTP batch", 40)):
        row = found.get((key, "committed"))
        if row is None:
            continue
        checks.append(target(f"CPU µs per message, committed, {name}", row["cpu_us"], limit, True))
        if key == "lockstep":
            checks.append(target("messages/s, committed, lock-step", row["rate"], 10000))
        if key == "http" or options.durability != "memory" or "rate_to_posthaste" not in row:
            continue
        checks.append(target(f"rate committed / memory, {name}", row["rate_to_posthaste"], 0.8))
        checks.append(target(f"CPU committed / memory, {name}", row["cpu_to_posthaste"], 1.3, True))
    lone = found.get(("lone", "committed"))
    if lone is not None and lone.get("added_ms") is not None and "synced_write_us" in lone:
        checks.append(target("ms that the commit adds to the median, lone client; wanted: a synced "
                             "write of this disk + 0.2",
                             lone["added_ms"], lone["synced_write_us"] / 1e3 + 0.2, True))
    return checks


COMMIT_COLUMNS = (
    ("messages/s ÷ memory", "rate_to_posthaste", "{:.2f}"),
    ("CPU ÷ memory", "cpu_to_posthaste", "{:.2f}"),
    ("batches", "batches", "{:,.0f}"),
    ("messages/batch", "messages_per_batch", "{:.1f}"),
    ("octets/sync", "octets_per_sync", "{:,.0f}"),
    ("octets/message", "written_per_message", "{:,.0f}"),
    ("commit p50 µs", "commit_p50_us", "{:,.0f}"),
    ("commit p99 µs", "commit_p99_us", "{:,.0f}"),
    ("p50 ms", "p50_ms", "{:.3f}"),
    ("added to p50 ms", "added_ms", "{:.3f}"),
    ("synced write µs", "synced_write_us", "{:.0f}"),
)


def shown(row, key, pattern):
    return pattern.format(row[key]) if row.get(key) is not None else ""


def commit_table(rows, options):
    """What the spool did; ÷ memory only where the other posthaste of the run has no spool."""
    rows = [row for row in rows if row.get("batches")]
    columns = [column for column in COMMIT_COLUMNS
               if options["durability"] == "memory" or "memory" not in column[0]]
    if not rows:
        return []
    text = ["", "| spool | relay | " + " | ".join(title for title, _, _ in columns) + " |",
            "|---" * (len(columns) + 2) + "|"]
    for row in rows:
        text.append("| " + " | ".join([row["scenario"], row["relay"]] + [
            shown(row, key, pattern) for _, key, pattern in columns]) + " |")
    return text


def scenario_table(summary):
    options = summary["options"]
    text = [
        f"Messages of {options['size']} octets, {options['sessions']} sessions, source and sink on the "
        f"same CPUs, posthaste with durability \"{options['durability']}\", committed with \"commit\". "
        f"Medians of {options['rounds']} round(s). CPU is the relay's alone.", "",
        "| scenario | relay | messages/s | CPU µs/message | enters | letters | switches | p99 ms "
        "| × Postfix | CPU / bare |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in summary["summary"]:
        text.append("| " + " | ".join([
            row["scenario"], row["relay"], f"{row['rate']:,.1f}", f"{row['cpu_us']:,.1f}",
            shown(row, "enters", "{:.2f}"), shown(row, "letters", "{:.2f}"),
            shown(row, "switches", "{:.2f}"), f"{row['p99_ms']:.1f}",
            shown(row, "rate_to_postfix", "{:.1f}"), shown(row, "cpu_to_bare", "{:.2f}"),
        ]) + " |")
    return text


def table(summary):
    where = summary["machine"]
    text = [
        f"# Bench {summary['date']}, commit {summary['commit']}", "",
        f"`bench/{summary['command']}` · Linux {where['kernel']} · {where['cpus']} × {where['cpu']} · "
        f"{where['memory_gib']} GiB · load at the end {summary['load_at_end'][0]:.1f}", "",
    ]
    if summary["summary"]:
        text += scenario_table(summary)
    text += commit_table(summary["summary"], summary["options"])
    for backlog in summary["backlogs"]:
        text += ["", f"**{backlog['name']}**: {backlog['what']}", "", "| | |", "|---|---|"]
        text += [f"| {what} | {value} |" for what, value in backlog["rows"]]
    if summary["targets"]:
        text += ["", "| target | measured | wanted | |", "|---|---|---|---|"]
        for goal in summary["targets"]:
            text.append(f"| {goal['what']} | {goal['measured']:,.5g} | {goal['wanted']} | "
                        f"{'met' if goal['met'] else 'MISSED'} |")
    if summary["failures"]:
        text += ["", "Failed:", ""] + [f"- {failure}" for failure in summary["failures"]]
    ran = {row["scenario"] for row in summary["summary"]}
    text += [""] + [f"- {name}: {SCENARIOS[name].what}" for name in SCENARIOS if name in ran]
    return "\n".join(text) + "\n"


def write(summary, folder):
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{summary['date'][:10]}-{summary['commit']}"
    json_file, text_file = stem.with_suffix(".json"), stem.with_suffix(".md")
    json_file.write_text(json.dumps(summary, indent=1, default=str, ensure_ascii=False) + "\n")
    text_file.write_text(table(summary))
    return json_file, text_file
